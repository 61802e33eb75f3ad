// Prints which fields of the built-in types are always there and which vanish when they are zero, as JSON.
//
// Run it in a folder with the go.mod and go.sum of sandbox/controlplane: go run -mod=mod presence.go; fold.py beside it makes
// presence.json of that.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling1 "k8s.io/api/autoscaling/v1"
	autoscaling2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

var roots = []any{
	core.Namespace{}, core.Node{}, core.Pod{}, core.Service{}, core.Endpoints{}, core.Secret{}, core.ConfigMap{}, core.Event{},
	core.ServiceAccount{}, core.PersistentVolumeClaim{}, core.PersistentVolume{}, core.ResourceQuota{}, core.LimitRange{},
	apps.Deployment{}, apps.ReplicaSet{}, apps.StatefulSet{}, apps.DaemonSet{}, apps.ControllerRevision{},
	batch.Job{}, batch.CronJob{}, autoscaling1.HorizontalPodAutoscaler{}, autoscaling2.HorizontalPodAutoscaler{},
	autoscaling1.Scale{}, policy.PodDisruptionBudget{}, policy.Eviction{},
	networking.Ingress{}, networking.IngressClass{}, networking.NetworkPolicy{}, discovery.EndpointSlice{},
	coordination.Lease{}, events.Event{}, rbac.Role{}, rbac.RoleBinding{}, rbac.ClusterRole{}, rbac.ClusterRoleBinding{},
	storage.StorageClass{}, scheduling.PriorityClass{},
	admission.ValidatingWebhookConfiguration{}, admission.MutatingWebhookConfiguration{}, extensions.CustomResourceDefinition{},
}

// Types that are written as one value, not as an object of their fields.
var scalars = map[string]bool{"Time": true, "MicroTime": true, "Quantity": true, "IntOrString": true, "RawExtension": true,
	"FieldsV1": true, "JSON": true, "JSONSchemaPropsOrBool": true, "JSONSchemaPropsOrArray": true, "JSONSchemaPropsOrStringArray": true}

type presence struct {
	Always map[string]any    `json:"always,omitempty"`
	Drop   []string          `json:"drop,omitempty"`
	Type   map[string]string `json:"type,omitempty"`
}

func main() {
	found := map[string]presence{}
	for _, root := range roots {
		walk(reflect.TypeOf(root), found)
	}
	encoder := json.NewEncoder(os.Stdout)
	_ = encoder.Encode(found)
}

func walk(kind reflect.Type, found map[string]presence) {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		kind = kind.Elem()
	}
	name := label(kind)
	if _, seen := found[name]; seen || kind.Kind() != reflect.Struct || scalars[kind.Name()] {
		return
	}
	entry := presence{Always: map[string]any{}, Type: map[string]string{}}
	found[name] = entry
	fields(kind, &entry, found)
	found[name] = entry
}

func fields(kind reflect.Type, entry *presence, found map[string]presence) {
	for i := 0; i < kind.NumField(); i++ {
		field := kind.Field(i)
		tag := strings.Split(field.Tag.Get("json"), ",")
		options := strings.Join(tag[1:], ",")
		if strings.Contains(options, "inline") || (field.Anonymous && tag[0] == "") {
			if field.Type.Name() != "TypeMeta" {
				fields(field.Type, entry, found)
				walk(field.Type, found)
			}
			continue
		}
		walk(field.Type, found)
		note(entry, tag[0], field.Type, strings.Contains(options, "omitempty"), strings.Contains(options, "omitzero"))
	}
}

func note(entry *presence, name string, kind reflect.Type, omitEmpty, omitZero bool) {
	if name == "" || name == "-" || (name == "metadata" && kind.Name() == "ObjectMeta" && omitZero) {
		return
	}
	entry.Type[name] = strings.ReplaceAll(kind.String(), "*", "")
	plain := kind.Kind() != reflect.Pointer && kind.Kind() != reflect.Slice && kind.Kind() != reflect.Map
	switch {
	case kind.Kind() == reflect.Struct && !scalars[kind.Name()] && !omitZero:
		entry.Always[name] = map[string]any{}
	case kind.Kind() == reflect.Struct && scalars[kind.Name()] && !omitZero:
		entry.Always[name] = zero(kind)
	case plain && omitEmpty:
		entry.Drop = append(entry.Drop, name)
	case !omitEmpty && !omitZero && plain:
		entry.Always[name] = zero(kind)
	case !omitEmpty && !omitZero:
		entry.Always[name] = nil
	}
}

func zero(kind reflect.Type) any {
	switch kind.Kind() {
	case reflect.String:
		return ""
	case reflect.Bool:
		return false
	case reflect.Struct:
		if kind.Name() == "IntOrString" {
			return 0
		}
		if kind.Name() == "Quantity" {
			return "0"
		}
		return nil
	}
	return 0
}

func label(kind reflect.Type) string {
	parts := strings.Split(kind.PkgPath(), "/")
	version := parts[len(parts)-1]
	return strings.ToUpper(version[:min(1, len(version))]) + version[min(1, len(version)):] + kind.Name() + "@" + parts[max(0, len(parts)-2)]
}
