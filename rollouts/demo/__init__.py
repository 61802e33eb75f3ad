"""`rollouts demo`: a good version is shipped and a bad one taken back, before your eyes and under real traffic."""
