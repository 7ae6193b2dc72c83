package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"

	releasecommon "helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/fluxcd/pkg/chartutil"
	"github.com/fluxcd/pkg/ssa/jsondiff"
)

// What the comparison of Helm's storage, the object and the cluster can come to; helm-controller's own words.
const (
	absent    = "Absent"
	locked    = "Locked"
	unmanaged = "Unmanaged"
	failed    = "Failed"
	outOfSync = "OutOfSync"
	drifted   = "Drifted"
	inSync    = "InSync"
)

type state struct {
	status, reason string
	drift          jsondiff.DiffSet
}

func (w *work) determineState(ctx context.Context) (state, error) {
	last, err := w.lastRelease(ctx)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return state{status: absent, reason: "no release in storage for object"}, nil
	}
	if err != nil {
		return state{}, err
	}
	status := last.Info.Status
	known := w.object.Status.History.Latest()
	switch {
	case status.IsPending():
		// Left by a process that was killed: this one is the only one to work on the release.
		return state{status: locked, reason: fmt.Sprintf("release with status '%s'", status)}, nil
	case status == releasecommon.StatusUninstalled:
		return state{status: absent, reason: "found uninstalled release in storage"}, nil
	case known == nil:
		return state{status: unmanaged, reason: "found existing release in storage"}, nil
	}
	observed, err := snapshotOf(last)
	if err != nil {
		return state{}, err
	}
	switch {
	case observed.Digest != known.Digest:
		return state{status: unmanaged, reason: "release not observed to be made for object"}, nil
	case status == releasecommon.StatusFailed:
		return state{status: failed}, nil
	case status != releasecommon.StatusDeployed:
		return state{}, fmt.Errorf("unable to determine state for release with status '%s'", status)
	}
	if reason, err := w.changed(last, known.ConfigDigest); reason != "" || err != nil {
		return state{status: outOfSync, reason: reason}, err
	}
	return w.compareCluster(ctx, last)
}

// changed tells what differs between the release and what is wanted, or nothing.
func (w *work) changed(last *releasev1.Release, configDigest string) (string, error) {
	if metadata := last.Chart.Metadata; metadata.Name != w.chart.Name() || metadata.Version != w.chart.Metadata.Version {
		return "release chart changed", nil
	}
	if !chartutil.VerifyValues(digest.Digest(configDigest), w.values) {
		return "release config values changed", nil
	}
	if w.object.Status.ObservedGeneration == w.object.Generation {
		return "", nil
	}
	renderers, metadata, err := renderDigests(w.object)
	switch {
	case err != nil:
		return "", err
	case renderers != w.object.Status.ObservedPostRenderersDigest:
		return "postrenderers digest has changed", nil
	case metadata != w.object.Status.ObservedCommonMetadataDigest:
		return "common metadata digest has changed", nil
	}
	return "", nil
}

func (w *work) compareCluster(ctx context.Context, last *releasev1.Release) (state, error) {
	if !w.object.GetDriftDetection().MustDetectChanges() {
		return state{status: inSync}, nil
	}
	drift, err := w.drift(ctx, last)
	if drift.HasChanges() {
		return state{status: drifted, drift: drift}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("unable to determine cluster state: %w", err)
	}
	return state{status: inSync}, nil
}

func (w *work) lastRelease(ctx context.Context) (*releasev1.Release, error) {
	stored, err := w.configuration(ctx, nil).Releases.Last(releaseName(w.object))
	if err != nil {
		return nil, err
	}
	return asRelease(stored)
}
