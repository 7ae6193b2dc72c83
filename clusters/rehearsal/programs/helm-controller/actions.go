package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"helm.sh/helm/v4/pkg/action"
	releasecommon "helm.sh/helm/v4/pkg/release/common"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/runtime/conditions"
)

func (w *work) configuration(ctx context.Context, see observer) *action.Configuration {
	return helmConfiguration(ctx, w.cluster, w.object, w.readers, see)
}

// usesServerSideApply resolves "auto": as the given release was made.
func (w *work) usesServerSideApply(mode v2.ServerSideApplyMode, madeBy string) bool {
	switch mode {
	case v2.ServerSideApplyEnabled:
		return true
	case v2.ServerSideApplyDisabled:
		return false
	}
	return madeBy == "ssa"
}

func (w *work) install(ctx context.Context) error {
	w.object.Status.ClearHistory()
	return w.attempt(v2.ReleaseActionInstall, func(see observer) error {
		spec, object := w.object.GetInstall(), w.object
		install := action.NewInstall(w.configuration(ctx, see))
		install.ReleaseName, install.Namespace = releaseName(object), object.GetReleaseNamespace()
		install.ServerSideApply = spec.ServerSideApply == nil || *spec.ServerSideApply
		install.ForceConflicts = install.ServerSideApply
		install.Timeout = spec.GetTimeout(object.GetTimeout()).Duration
		install.TakeOwnership = !spec.DisableTakeOwnership
		install.WaitStrategy, install.WaitForJobs = waitStrategy(object, spec), !spec.DisableWaitForJobs
		install.DisableHooks, install.Replace = spec.DisableHooks, spec.Replace
		install.DisableOpenAPIValidation, install.SkipSchemaValidation = spec.DisableOpenAPIValidation, spec.DisableSchemaValidation
		install.CreateNamespace = spec.CreateNamespace && object.Spec.TargetNamespace != ""
		install.Devel, install.SkipCRDs = true, true
		install.PostRenderer, install.PostRenderStrategy = newKustomizer(object), postRenderStrategy(object)
		if err := w.applyCRDs(ctx, spec.CRDs, waitStrategy(object, spec)); err != nil {
			return err
		}
		_, err := install.RunWithContext(ctx, w.chart, w.values.AsMap())
		return err
	})
}

func (w *work) upgrade(ctx context.Context) error {
	return w.attempt(v2.ReleaseActionUpgrade, func(see observer) error {
		last, err := w.lastRelease(ctx)
		if err != nil {
			return err
		}
		spec, object := w.object.GetUpgrade(), w.object
		serverSide := w.usesServerSideApply(spec.ServerSideApply, last.ApplyMethod)
		upgrade := action.NewUpgrade(w.configuration(ctx, see))
		upgrade.Namespace, upgrade.MaxHistory = object.GetReleaseNamespace(), object.GetMaxHistory()
		upgrade.ServerSideApply, upgrade.ForceConflicts = fmt.Sprint(serverSide), serverSide
		upgrade.ForceReplace = spec.Force && !serverSide
		upgrade.ResetValues, upgrade.ReuseValues = !spec.PreserveValues, spec.PreserveValues
		upgrade.Timeout = spec.GetTimeout(object.GetTimeout()).Duration
		upgrade.TakeOwnership = !spec.DisableTakeOwnership
		upgrade.WaitStrategy, upgrade.WaitForJobs = waitStrategy(object, spec), !spec.DisableWaitForJobs
		upgrade.DisableHooks, upgrade.CleanupOnFail = spec.DisableHooks, spec.CleanupOnFail
		upgrade.DisableOpenAPIValidation, upgrade.SkipSchemaValidation = spec.DisableOpenAPIValidation, spec.DisableSchemaValidation
		upgrade.Devel = true
		upgrade.PostRenderer, upgrade.PostRenderStrategy = newKustomizer(object), postRenderStrategy(object)
		if err := w.applyCRDs(ctx, spec.CRDs, waitStrategy(object, spec)); err != nil {
			return err
		}
		_, err = upgrade.RunWithContext(ctx, releaseName(object), w.chart, w.values.AsMap())
		return err
	})
}

// attempt runs an install or upgrade and writes down how it went.
// A failure that left no trace in Helm's storage is returned, to be tried again; any other is for the next look at the release's state.
func (w *work) attempt(kind v2.ReleaseAction, do func(observer) error) error {
	w.object.Status.LastAttemptedReleaseAction = kind
	conditions.Delete(w.object, v2.RemediatedCondition)
	var seen sighting
	start := time.Now()
	err := do(seen.see)
	w.object.Status.LastAttemptedReleaseActionDuration = &metav1.Duration{Duration: time.Since(start)}
	seen.record(w.object, kind)
	w.recordInventory(seen.last)
	if err == nil {
		w.succeeded(kind)
		return w.summarize()
	}
	w.failedAttempt(kind, err)
	if len(seen.versions) == 0 {
		if summary := w.summarize(); summary != nil {
			return summary
		}
		return err
	}
	if kind == v2.ReleaseActionInstall {
		w.object.GetInstall().GetRemediation().IncrementFailureCount(w.object)
	} else {
		w.object.GetUpgrade().GetRemediation().IncrementFailureCount(w.object)
	}
	return w.summarize()
}

var attemptReasons = map[v2.ReleaseAction]struct{ good, bad string }{
	v2.ReleaseActionInstall: {v2.InstallSucceededReason, v2.InstallFailedReason},
	v2.ReleaseActionUpgrade: {v2.UpgradeSucceededReason, v2.UpgradeFailedReason},
}

func (w *work) succeeded(kind v2.ReleaseAction) {
	current := w.object.Status.History.Latest()
	message := fmt.Sprintf("Helm %s succeeded for release %s with chart %s", kind, current.FullReleaseName(), current.VersionedChartName())
	conditions.MarkTrue(w.object, v2.ReleasedCondition, attemptReasons[kind].good, "%s", message)
	if w.object.GetActiveRetry(w.options.retryOnFailure) != nil {
		w.object.Status.ClearFailures()
	}
	w.note(w.object, corev1.EventTypeNormal, attemptReasons[kind].good, message)
}

func (w *work) failedAttempt(kind v2.ReleaseAction, err error) {
	message := fmt.Sprintf("Helm %s failed for release %s/%s with chart %s@%s: %s",
		kind, w.object.GetReleaseNamespace(), w.object.GetReleaseName(), w.chart.Name(), w.chart.Metadata.Version, err)
	w.object.Status.Failures++
	conditions.MarkFalse(w.object, v2.ReleasedCondition, attemptReasons[kind].bad, "%s", message)
	w.note(w.object, corev1.EventTypeWarning, attemptReasons[kind].bad, message)
}

// unlock takes a release out of the pending state that a killed process left it in.
func (w *work) unlock(ctx context.Context) error {
	var seen sighting
	records := w.configuration(ctx, seen.see).Releases
	last, err := w.lastRelease(ctx)
	if err != nil {
		return err
	}
	pending := last.Info.Status
	last.SetStatus(releasecommon.StatusFailed, fmt.Sprintf("Release unlocked from stale '%s' state", pending))
	if err := records.Update(last); err != nil {
		return err
	}
	for _, snapshot := range seen.versions {
		if known := findSnapshot(w.object, snapshot); known != nil {
			*known = *snapshot
		}
		message := fmt.Sprintf("Unlocked Helm release %s with chart %s in %s state", snapshot.FullReleaseName(), snapshot.VersionedChartName(), pending)
		conditions.MarkFalse(w.object, v2.ReleasedCondition, "PendingRelease", "%s", message)
		w.note(w.object, corev1.EventTypeNormal, "PendingRelease", message)
	}
	return w.summarize()
}
