package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"helm.sh/helm/v4/pkg/storage/driver"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/runtime/conditions"
)

// kind of a step: one reconciliation takes at most one of each.
type kind string

const (
	making      kind = "release"
	remediation kind = "remediate"
	unlocking   kind = "unlock"
	correcting  kind = "drift correction"
)

type step struct {
	name    string
	kind    kind
	timeout time.Duration
	do      func(context.Context) error
}

// nextStep decides what the state calls for. No step and no error means that the release is as it should be.
func (w *work) nextStep(ctx context.Context, now state) (*step, error) {
	// Asked in every state: a request to force is noted as handled even where it changes nothing.
	forced := v2.ShouldHandleForceRequest(w.object)
	switch now.status {
	case inSync:
		w.truncateHistory()
		if forced {
			return w.upgradeStep(), nil
		}
		w.settle()
		return nil, nil
	case locked:
		return &step{"unlock", unlocking, w.object.GetTimeout().Duration, w.unlock}, nil
	case absent:
		if w.object.GetInstall().GetRemediation().RetriesExhausted(w.object) && !forced {
			return nil, fmt.Errorf("%w: cannot install release", errRetriesExceeded)
		}
		return w.installStep(), nil
	case unmanaged:
		w.object.Status.ClearHistory()
		return w.upgradeStep(), nil
	case outOfSync:
		if w.object.GetUpgrade().GetRemediation().RetriesExhausted(w.object) && !forced {
			return nil, fmt.Errorf("%w: cannot upgrade release", errRetriesExceeded)
		}
		return w.upgradeStep(), nil
	case drifted:
		return w.driftStep(now), nil
	default:
		return w.remedyStep(ctx, forced)
	}
}

func (w *work) installStep() *step {
	return &step{"install", making, w.object.GetInstall().GetTimeout(w.object.GetTimeout()).Duration, w.install}
}

func (w *work) upgradeStep() *step {
	return &step{"upgrade", making, w.object.GetUpgrade().GetTimeout(w.object.GetTimeout()).Duration, w.upgrade}
}

func (w *work) truncateHistory() {
	if w.object.GetActiveRetry(w.options.retryOnFailure) != nil {
		w.object.Status.History.TruncateIgnoringPreviousSnapshots()
		return
	}
	w.object.Status.History.Truncate(false)
}

// settle says that a release is fine which was not when its conditions were written.
func (w *work) settle() {
	current := w.object.Status.History.Latest()
	mark := func(reason, verb string) {
		conditions.MarkTrue(w.object, v2.ReleasedCondition, reason, "Helm %s succeeded for release %s with chart %s",
			verb, current.FullReleaseName(), current.VersionedChartName())
	}
	if conditions.IsTrue(w.object, v2.RemediatedCondition) {
		conditions.Delete(w.object, v2.RemediatedCondition)
		mark(v2.UpgradeSucceededReason, "upgrade")
	}
	switch conditions.GetReason(w.object, v2.ReleasedCondition) {
	case v2.InstallFailedReason:
		mark(v2.InstallSucceededReason, "install")
	case v2.UpgradeFailedReason:
		mark(v2.UpgradeSucceededReason, "upgrade")
	}
	if w.object.GetDriftDetection().MustDetectChanges() {
		conditions.MarkFalse(w.object, v2.DriftedCondition, v2.NoDriftDetectedReason, "No drift detected against the cluster state")
	}
}

func (w *work) driftStep(now state) *step {
	message := fmt.Sprintf("Cluster state of release %s has drifted from the desired state:\n%s",
		w.object.Status.History.Latest().FullReleaseName(), describeDrift(now.drift))
	w.events.Event(w.object, corev1.EventTypeWarning, v2.DriftDetectedReason, message)
	conditions.MarkTrue(w.object, v2.DriftedCondition, v2.DriftDetectedReason, "%s", message)
	if w.object.GetDriftDetection().GetMode() != v2.DriftDetectionEnabled {
		return nil
	}
	correct := func(ctx context.Context) error { return w.correctDrift(ctx, now.drift) }
	return &step{"correct cluster drift", correcting, w.object.GetTimeout().Duration, correct}
}

// remedyStep is for a failed release: with RetryOnFailure an upgrade, else what the remediation strategy says.
func (w *work) remedyStep(ctx context.Context, forced bool) (*step, error) {
	if w.object.GetActiveRetry(w.options.retryOnFailure) != nil {
		w.object.Status.History.TruncateIgnoringPreviousSnapshots()
		return w.upgradeStep(), nil
	}
	remedy := w.object.GetActiveRemediation()
	// Without a counted failure, what the release failed by has changed since.
	if remedy == nil || remedy.GetFailureCount(w.object) <= 0 || forced {
		return w.upgradeStep(), nil
	}
	if remedy.RetriesExhausted(w.object) && !remedy.MustRemediateLastFailure() {
		return nil, fmt.Errorf("%w: cannot remediate failed release", errRetriesExceeded)
	}
	w.object.Status.History.Truncate(false)
	if remedy.GetStrategy() == v2.UninstallRemediationStrategy {
		timeout := w.object.GetUninstall().GetTimeout(w.object.GetTimeout()).Duration
		return &step{"uninstall", remediation, timeout, w.uninstallFailed}, nil
	}
	return w.rollbackStep(ctx)
}

// rollbackStep rolls back to the previous release if that is still as it was; if it was tampered with, an upgrade is the better remedy.
func (w *work) rollbackStep(ctx context.Context) (*step, error) {
	previous := w.object.Status.History.Previous(false)
	if previous == nil {
		return nil, fmt.Errorf("%w: cannot remediate failed release", errNoRollbackTarget)
	}
	stored, err := w.configuration(ctx, nil).Releases.Get(previous.Name, previous.Version)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return w.upgradeStep(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot verify previous release to roll back to: %w", err)
	}
	release, err := asRelease(stored)
	if err != nil {
		return nil, err
	}
	observed, err := snapshotOf(release)
	if err != nil {
		return nil, err
	}
	if observed.Digest != previous.Digest {
		ctrl.LoggerFrom(ctx).Info("previous release is not as it was made: upgrading instead of rolling back", "release", previous.FullReleaseName())
		return w.upgradeStep(), nil
	}
	timeout := w.object.GetRollback().GetTimeout(w.object.GetTimeout()).Duration
	return &step{"rollback", remediation, timeout, func(ctx context.Context) error { return w.rollback(ctx, previous) }}, nil
}
