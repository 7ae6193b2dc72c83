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

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/jsondiff"
)

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
