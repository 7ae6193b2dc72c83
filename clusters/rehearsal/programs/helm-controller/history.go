package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/opencontainers/go-digest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	helmrelease "helm.sh/helm/v4/pkg/release"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"

	v2 "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/chartutil"
)

// releaseName is the release's name, with its end hashed where Helm's 53 characters do not hold it.
func releaseName(object *v2.HelmRelease) string {
	const longest, hash = 53, 12
	full := object.GetReleaseName()
	if len(full) <= longest {
		return full
	}
	return full[:longest-hash-1] + "-" + fmt.Sprintf("%x", sha256.Sum256([]byte(full)))[:hash]
}

func asRelease(stored helmrelease.Releaser) (*releasev1.Release, error) {
	release, ok := stored.(*releasev1.Release)
	if !ok {
		return nil, errors.New("only the Chart API v2 is supported")
	}
	return release, nil
}

// snapshotOf is what status.history keeps of a stored release. Its digest tells later whether the release is still as this controller left it.
func snapshotOf(release *releasev1.Release) (*v2.Snapshot, error) {
	stable := struct {
		Name, Namespace, Manifest string
		Version                   int
		Info                      *releasev1.Info
		Chart                     *chartv2.Metadata
		Config                    map[string]any
		Hooks                     []*releasev1.Hook
	}{release.Name, release.Namespace, release.Manifest, release.Version, release.Info, release.Chart.Metadata, release.Config, nil}
	if len(stable.Config) == 0 {
		stable.Config = nil
	}
	for _, hook := range release.Hooks {
		if !isTest(hook) {
			stable.Hooks = append(stable.Hooks, hook)
		}
	}
	sum, err := digestJSON(stable)
	return &v2.Snapshot{
		APIVersion:    v2.CurrentSnapshotAPIVersion,
		Digest:        sum,
		Name:          release.Name,
		Namespace:     release.Namespace,
		Version:       release.Version,
		AppVersion:    release.Chart.Metadata.AppVersion,
		ChartName:     release.Chart.Metadata.Name,
		ChartVersion:  release.Chart.Metadata.Version,
		ConfigDigest:  chartutil.DigestValues(digest.Canonical, release.Config).String(),
		FirstDeployed: seconds(release.Info.FirstDeployed),
		LastDeployed:  seconds(release.Info.LastDeployed),
		Deleted:       seconds(release.Info.Deleted),
		Status:        release.Info.Status.String(),
	}, err
}

// seconds is a time as the API server will give it back: what is compared with it later must be equal.
func seconds(moment time.Time) metav1.Time {
	exact := metav1.NewTime(moment)
	return exact.Rfc3339Copy()
}

// isTest excepts hooks that a user may run at any time.
func isTest(hook *releasev1.Hook) bool {
	for _, event := range hook.Events {
		if event == releasev1.HookTest {
			return true
		}
	}
	return false
}

// sighting collects what an action writes to Helm's storage, by the release's version.
type sighting struct {
	versions map[int]*v2.Snapshot
	last     *releasev1.Release
	err      error
}

func (s *sighting) see(release *releasev1.Release) {
	if s.versions == nil {
		s.versions = map[int]*v2.Snapshot{}
	}
	snapshot, err := snapshotOf(release)
	s.versions[release.Version], s.err = snapshot, errors.Join(s.err, err)
	if s.last == nil || release.Version >= s.last.Version {
		s.last = release
	}
}

// record brings what was seen into the object's history: known versions are replaced, a newer one comes first.
func (s *sighting) record(object *v2.HelmRelease, action v2.ReleaseAction) {
	var versions []int
	for version := range s.versions {
		versions = append(versions, version)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(versions)))
	for position, version := range versions {
		seen := s.versions[version]
		if known := findSnapshot(object, seen); known != nil {
			seen.OCIDigest, seen.TestHooks, seen.Action = known.OCIDigest, known.TestHooks, known.Action
			if position == 0 && action != "" {
				seen.Action = action
			}
			*known = *seen
		} else if position == 0 {
			seen.OCIDigest, seen.Action = object.Status.LastAttemptedRevisionDigest, action
			object.Status.History = append(v2.Snapshots{seen}, object.Status.History...)
		}
	}
}

func findSnapshot(object *v2.HelmRelease, seen *v2.Snapshot) *v2.Snapshot {
	for _, snapshot := range object.Status.History {
		if snapshot.Targets(seen.Name, seen.Namespace, seen.Version) {
			return snapshot
		}
	}
	return nil
}
