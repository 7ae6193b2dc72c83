package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/chartutil"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/fluxcd/pkg/runtime/jitter"
	"github.com/fluxcd/pkg/runtime/patch"
	"github.com/opencontainers/go-digest"
)

const reasonSourceNotReady, reasonValuesError = "SourceNotReady", "ValuesError"

// release fulfils what a release needs (dependencies, source, values, chart), then brings it in line with them.
func (r *reconciler) release(ctx context.Context, patcher *patch.SerialPatcher, object *v2.HelmRelease) (ctrl.Result, error) {
	conditions.MarkReconciling(object, meta.ProgressingReason, "Fulfilling prerequisites")
	if err := savePatch(ctx, patcher, object); err != nil {
		return ctrl.Result{}, err
	}
	work := &work{reconciler: r, patcher: patcher, object: object}
	if result, err := work.prepare(ctx); err != nil {
		return result, err
	}
	if conditions.IsFalse(object, meta.ReadyCondition) && isPrerequisiteReason(conditions.GetReason(object, meta.ReadyCondition)) {
		conditions.MarkUnknown(object, meta.ReadyCondition, meta.ProgressingReason, "reconciliation in progress")
	}
	if changed := work.changedTarget(); changed != "" {
		ctrl.LoggerFrom(ctx).Info("release target configuration changed: running uninstall for current release", "changed", changed)
		if err := r.uninstall(ctx, object); err != nil {
			return ctrl.Result{}, err
		}
		object.Status.ClearHistory()
		object.Status.ClearFailures()
		object.Status.StorageNamespace = ""
		return ctrl.Result{Requeue: true}, nil
	}
	work.recordAttempt()
	return work.outcome(ctx, work.run(ctx))
}

// prepare fills in all that the work needs, or says in the Ready condition what is missing.
func (w *work) prepare(ctx context.Context) (ctrl.Result, error) {
	object, later := w.object, ctrl.Result{RequeueAfter: w.options.requeueDependency}
	if err := w.dependencies(ctx); err != nil {
		conditions.MarkFalse(object, meta.ReadyCondition, v2.DependencyNotReadyReason, "%s", err)
		w.events.Event(object, corev1.EventTypeNormal, v2.DependencyNotReadyReason, err.Error())
		ctrl.LoggerFrom(ctx).Info("dependencies do not meet ready condition", "reason", err.Error(), "retrying in", later.RequeueAfter.String())
		return later, errWaiting
	}
	if kind, key := sourceOf(object); w.options.acl.NoCrossNamespaceRefs && key.Namespace != object.Namespace {
		return ctrl.Result{}, w.stall(object, "AccessDenied", fmt.Errorf("can't access '%s/%s', cross-namespace references have been blocked", kind, key))
	}
	source, missing, err := w.getSource(ctx, object)
	if err != nil {
		conditions.MarkFalse(object, meta.ReadyCondition, v2.ArtifactFailedReason, "could not get Source object: %s", err)
		return ctrl.Result{}, err
	}
	if missing != "" {
		conditions.MarkFalse(object, meta.ReadyCondition, reasonSourceNotReady, "%s", missing)
		return jitter.JitteredRequeueInterval(later), errWaiting
	}
	if err := w.load(ctx, source); !errors.Is(err, errArtifactNotFound) {
		return ctrl.Result{}, err
	}
	conditions.MarkFalse(object, meta.ReadyCondition, v2.ArtifactFailedReason,
		"Source not ready: artifact not found. Retrying in %s", later.RequeueAfter)
	return later, errWaiting
}

// load reads values, chart and health checks.
func (w *work) load(ctx context.Context, source chartSource) (err error) {
	object, logger := w.object, ctrl.LoggerFrom(ctx)
	if w.values, err = chartutil.ChartValuesFromReferences(ctx, logger, w.Client, object.Namespace, object.GetValues(), object.Spec.ValuesFrom...); err != nil {
		return w.fail(object, reasonValuesError, err)
	}
	if w.chart, w.revision, err = w.options.fetchChart(ctx, source); errors.Is(err, errArtifactNotFound) {
		return err
	}
	if err != nil {
		conditions.MarkFalse(object, meta.ReadyCondition, v2.ArtifactFailedReason, "Could not load chart: %s", err)
		w.events.Event(object, corev1.EventTypeWarning, v2.ArtifactFailedReason, err.Error())
		return err
	}
	if w.readers, err = cel.NewStatusReader(object.Spec.HealthCheckExprs); err != nil {
		return w.stall(object, meta.InvalidCELExpressionReason, err)
	}
	w.cluster, err = w.clusterFor(object)
	return err
}

// isPrerequisiteReason tells that a Ready=False of this reason ends when the prerequisites are fulfilled.
func isPrerequisiteReason(reason string) bool {
	switch reason {
	case v2.DependencyNotReadyReason, v2.ArtifactFailedReason, reasonSourceNotReady, reasonValuesError, "AccessDenied":
		return true
	}
	return false
}

func (w *work) dependencies(ctx context.Context) error {
	for _, reference := range w.object.Spec.DependsOn {
		key := types.NamespacedName{Namespace: reference.Namespace, Name: reference.Name}
		if key.Namespace == "" {
			key.Namespace = w.object.Namespace
		}
		dependency := &v2.HelmRelease{}
		if err := w.api.Get(ctx, key, dependency); err != nil {
			return fmt.Errorf("unable to get '%s' dependency: %w", key, err)
		}
		if dependency.Generation != dependency.Status.ObservedGeneration || !conditions.IsTrue(dependency, meta.ReadyCondition) {
			return fmt.Errorf("dependency '%s' is not ready", key)
		}
	}
	return nil
}

// changedTarget names the part of the release's identity that is not what it was: such a release must go before a new one can come.
func (w *work) changedTarget() string {
	current := w.object.Status.History.Latest()
	switch {
	case w.object.Status.StorageNamespace == "" || current == nil:
		return ""
	case w.object.GetStorageNamespace() != w.object.Status.StorageNamespace:
		return "storage namespace"
	case w.object.GetReleaseNamespace() != current.Namespace:
		return "release namespace"
	case releaseName(w.object) != current.Name:
		return "release name"
	case w.chart.Name() != current.ChartName && w.object.GetUpgrade().GetChartNameChangeStrategy() == v2.ChartNameChangeStrategyReinstall:
		return "chart name"
	}
	return ""
}

// recordAttempt notes what is attempted. Failures of another attempt do not count for this one.
func (w *work) recordAttempt() {
	status, values := &w.object.Status, chartutil.DigestValues(digest.Canonical, w.values).String()
	// Asked first: a request to reset is noted as handled even if something else resets.
	reset := v2.ShouldHandleResetRequest(w.object)
	if reset || status.LastAttemptedGeneration != w.object.Generation || status.LastAttemptedRevision != w.chart.Metadata.Version ||
		status.LastAttemptedConfigDigest != values {
		status.ClearFailures()
	}
	status.StorageNamespace = w.object.GetStorageNamespace()
	status.LastAttemptedGeneration = w.object.Generation
	status.LastAttemptedRevision = w.chart.Metadata.Version
	status.LastAttemptedRevisionDigest = w.revision
	status.LastAttemptedConfigDigest = values
}
