package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/storage/driver"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/runtime/conditions"
)

// uninstall removes the release that the history knows of; without one there is nothing that this controller would have made.
func (r *reconciler) uninstall(ctx context.Context, object *v2.HelmRelease) error {
	current := object.Status.History.Latest().DeepCopy()
	if current == nil {
		return nil
	}
	err := r.helmUninstall(ctx, object, v2.ReleaseActionUninstall)
	if errors.Is(err, driver.ErrReleaseNotFound) || err != nil && object.GetUninstall().KeepHistory && strings.Contains(err.Error(), "is already deleted") {
		conditions.MarkFalse(object, v2.ReleasedCondition, v2.UninstallSucceededReason,
			"Release %s was not found, assuming it is uninstalled", current.FullReleaseName())
		return nil
	}
	if err != nil {
		message := fmt.Sprintf("Helm uninstall failed for release %s with chart %s: %s", current.FullReleaseName(), current.VersionedChartName(), err)
		object.Status.Failures++
		conditions.MarkFalse(object, v2.ReleasedCondition, v2.UninstallFailedReason, "%s", message)
		r.note(object, corev1.EventTypeWarning, v2.UninstallFailedReason, message)
		return errors.Join(err, summarize(object))
	}
	message := fmt.Sprintf("Helm uninstall succeeded for release %s with chart %s", current.FullReleaseName(), current.VersionedChartName())
	object.Status.Inventory = nil
	conditions.MarkFalse(object, v2.ReleasedCondition, v2.UninstallSucceededReason, "%s", message)
	r.note(object, corev1.EventTypeNormal, v2.UninstallSucceededReason, message)
	return summarize(object)
}

func (r *reconciler) helmUninstall(ctx context.Context, object *v2.HelmRelease, kind v2.ReleaseAction) error {
	on, err := r.clusterFor(object)
	if err != nil {
		return err
	}
	var seen sighting
	spec := object.GetUninstall()
	uninstall := action.NewUninstall(helmConfiguration(ctx, on, object, nil, seen.see))
	uninstall.Timeout = spec.GetTimeout(object.GetTimeout()).Duration
	uninstall.DisableHooks, uninstall.KeepHistory = spec.DisableHooks, spec.KeepHistory
	uninstall.WaitStrategy = waitStrategy(object, spec)
	uninstall.DeletionPropagation = spec.GetDeletionPropagation()
	_, err = uninstall.Run(object.Status.History.Latest().Name)
	seen.record(object, kind)
	if err == nil && len(seen.versions) == 0 {
		return errors.New("uninstall completed with error: release not updated in Helm storage")
	}
	return err
}

// uninstallFailed is the remedy for a failed install.
func (w *work) uninstallFailed(ctx context.Context) error {
	current := w.object.Status.History.Latest().DeepCopy()
	if current == nil {
		return errors.New("no latest release: required to uninstall")
	}
	err := w.helmUninstall(ctx, w.object, v2.ReleaseActionUninstallRemediation)
	about := fmt.Sprintf("Helm uninstall remediation for release %s with chart %s", current.FullReleaseName(), current.VersionedChartName())
	return w.remedied(about, v2.UninstallSucceededReason, v2.UninstallFailedReason, err)
}

// rollback is the remedy for a failed upgrade.
func (w *work) rollback(ctx context.Context, previous *v2.Snapshot) error {
	var seen sighting
	configuration := w.configuration(ctx, seen.see)
	stored, err := configuration.Releases.Get(previous.Name, previous.Version)
	if err != nil {
		return err
	}
	target, err := asRelease(stored)
	if err != nil {
		return err
	}
	spec := w.object.GetRollback()
	serverSide := w.usesServerSideApply(spec.ServerSideApply, target.ApplyMethod)
	rollback := action.NewRollback(configuration)
	rollback.Version, rollback.MaxHistory = previous.Version, w.object.GetMaxHistory()
	rollback.ServerSideApply, rollback.ForceConflicts = fmt.Sprint(serverSide), serverSide
	rollback.ForceReplace = spec.Force && !serverSide
	rollback.Timeout = spec.GetTimeout(w.object.GetTimeout()).Duration
	rollback.WaitStrategy, rollback.WaitForJobs = waitStrategy(w.object, spec), !spec.DisableWaitForJobs
	rollback.DisableHooks, rollback.CleanupOnFail = spec.DisableHooks, spec.CleanupOnFail
	about := fmt.Sprintf("Helm rollback to previous release %s with chart %s", previous.FullReleaseName(), previous.VersionedChartName())
	err = rollback.Run(previous.Name)
	seen.record(w.object, v2.ReleaseActionRollback)
	w.recordInventory(seen.last)
	if err != nil && len(seen.versions) == 0 {
		return errors.Join(err, w.remedied(about, "", v2.RollbackFailedReason, err))
	}
	return w.remedied(about, v2.RollbackSucceededReason, v2.RollbackFailedReason, err)
}

func (w *work) remedied(about, good, bad string, err error) error {
	if err != nil {
		message := about + " failed: " + err.Error()
		w.object.Status.Failures++
		conditions.MarkFalse(w.object, v2.RemediatedCondition, bad, "%s", message)
		w.note(w.object, corev1.EventTypeWarning, bad, message)
		return w.summarize()
	}
	conditions.MarkTrue(w.object, v2.RemediatedCondition, good, "%s", about+" succeeded")
	w.note(w.object, corev1.EventTypeNormal, good, about+" succeeded")
	return w.summarize()
}
