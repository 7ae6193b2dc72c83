package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/jsondiff"
	"github.com/fluxcd/pkg/ssa/normalize"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

// drift compares the release's manifest with the cluster by server-side apply in dry run. What it found is good even beside an error.
func (w *work) drift(ctx context.Context, release *releasev1.Release) (jsondiff.DiffSet, error) {
	objects, err := w.manifestObjects(release)
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if err := w.takeOver(ctx, object); err != nil {
			return nil, err
		}
	}
	settings := []jsondiff.ListOption{
		jsondiff.FieldOwner(name),
		jsondiff.ExclusionSelector{v2.DriftDetectionMetadataKey: v2.DriftDetectionDisabledValue},
		jsondiff.Rationalize(true),
		jsondiff.Graceful(true),
	}
	var ignored jsondiff.IgnoreRules
	for _, rule := range w.object.GetDriftDetection().Ignore {
		compiled := jsondiff.IgnoreRule{Paths: rule.Paths}
		if target := rule.Target; target != nil {
			compiled.Selector = &jsondiff.Selector{
				Group: target.Group, Version: target.Version, Kind: target.Kind, Name: target.Name, Namespace: target.Namespace,
				AnnotationSelector: target.AnnotationSelector, LabelSelector: target.LabelSelector,
			}
		}
		ignored = append(ignored, compiled)
	}
	if len(ignored) > 0 {
		settings = append(settings, ignored)
	}
	return jsondiff.UnstructuredList(ctx, client.NewDryRunClient(w.cluster.client), objects, settings...)
}

// manifestObjects are the release's objects as Helm applies them: with its labels, annotations and namespace.
func (w *work) manifestObjects(release *releasev1.Release) ([]*unstructured.Unstructured, error) {
	objects, err := ssautils.ReadObjects(strings.NewReader(release.Manifest))
	if err != nil {
		return nil, fmt.Errorf("failed to read objects from release manifest: %w", err)
	}
	if err := normalize.UnstructuredListWithScheme(objects, w.cluster.client.Scheme()); err != nil {
		return nil, fmt.Errorf("failed to normalize release objects: %w", err)
	}
	for _, object := range objects {
		setNested("app.kubernetes.io/managed-by", "Helm", object.GetLabels, object.SetLabels)
		setNested("meta.helm.sh/release-name", release.Name, object.GetAnnotations, object.SetAnnotations)
		setNested("meta.helm.sh/release-namespace", release.Namespace, object.GetAnnotations, object.SetAnnotations)
		namespaced, err := apiutil.IsObjectNamespaced(object, w.cluster.client.Scheme(), w.cluster.mapper)
		if err != nil {
			return nil, fmt.Errorf("failed to determine if %s is namespace scoped: %w", object.GetKind(), err)
		}
		if namespaced && object.GetNamespace() == "" {
			object.SetNamespace(release.Namespace)
		}
	}
	return objects, nil
}

func setNested(key, value string, get func() map[string]string, set func(map[string]string)) {
	values := get()
	if values == nil {
		values = map[string]string{}
	}
	values[key] = value
	set(values)
}

// takeOver makes fields ours that one of --override-manager holds.
func (w *work) takeOver(ctx context.Context, object *unstructured.Unstructured) error {
	var managers []ssa.FieldManager
	for _, manager := range w.options.overrideManagers {
		managers = append(managers,
			ssa.FieldManager{Name: manager, OperationType: metav1.ManagedFieldsOperationApply},
			ssa.FieldManager{Name: manager, OperationType: metav1.ManagedFieldsOperationUpdate})
	}
	if len(managers) == 0 {
		return nil
	}
	existing := &unstructured.Unstructured{}
	existing.SetGroupVersionKind(object.GroupVersionKind())
	if err := w.cluster.client.Get(ctx, client.ObjectKeyFromObject(object), existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	patches, err := ssa.PatchReplaceFieldsManagers(existing, managers, name)
	if err != nil || len(patches) == 0 {
		return err
	}
	return w.applyPatch(ctx, existing, patches)
}

func (w *work) applyPatch(ctx context.Context, object client.Object, patch any) error {
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return w.cluster.client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, data), client.FieldOwner(name))
}

// correctDrift makes again what was deleted and patches back what was changed. What fails is in an event, and drifted again at the next look.
func (w *work) correctDrift(ctx context.Context, drift jsondiff.DiffSet) error {
	ctx, cancel := context.WithTimeout(ctx, w.object.GetTimeout().Duration)
	defer cancel()
	conditions.MarkUnknown(w.object, meta.ReadyCondition, meta.ProgressingReason, "correcting cluster drift")
	sort.SliceStable(drift, func(i, j int) bool {
		return ssa.IsLessThan(drift[i].GroupVersionKind().GroupKind(), drift[j].GroupVersionKind().GroupKind())
	})
	var corrected []string
	var failures error
	for _, change := range drift {
		action, err := w.correct(ctx, change)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", resourceName(change), err))
		} else if action != "" {
			corrected = append(corrected, resourceName(change)+" "+action)
		}
	}
	release := w.object.Status.History.Latest().FullReleaseName()
	if failures != nil {
		w.note(w.object, corev1.EventTypeWarning, "DriftCorrectionFailed", fmt.Sprintf("Failed to correct cluster state of release %s:\n%s", release, failures))
	}
	if len(corrected) > 0 {
		message := fmt.Sprintf("Cluster state of release %s has been corrected:\n%s", release, strings.Join(corrected, "\n"))
		w.note(w.object, corev1.EventTypeNormal, "DriftCorrected", message)
	}
	return nil
}

func (w *work) correct(ctx context.Context, change *jsondiff.Diff) (string, error) {
	object, ok := change.DesiredObject.DeepCopyObject().(client.Object)
	switch {
	case !ok:
		return "", errors.New("not an object")
	case change.Type == jsondiff.DiffTypeCreate:
		return "created", w.cluster.client.Create(ctx, object, client.FieldOwner(name))
	case change.Type == jsondiff.DiffTypeUpdate:
		err := w.applyPatch(ctx, object, change.Patch)
		if apierrors.IsInvalid(err) && object.GetObjectKind().GroupVersionKind().Kind == "Secret" {
			// The API server quotes the values.
			err = errors.New("the API server finds the patched Secret invalid")
		}
		return "configured", err
	}
	return "", nil
}

func resourceName(change *jsondiff.Diff) string {
	return fmt.Sprintf("%s/%s/%s", change.GroupVersionKind().Kind, change.GetNamespace(), change.GetName())
}

func describeDrift(drift jsondiff.DiffSet) string {
	var lines []string
	for _, change := range drift {
		switch change.Type {
		case jsondiff.DiffTypeCreate:
			lines = append(lines, resourceName(change)+" removed")
		case jsondiff.DiffTypeUpdate:
			lines = append(lines, fmt.Sprintf("%s changed (%d changes)", resourceName(change), len(change.Patch)))
		}
	}
	return strings.Join(lines, "\n")
}
