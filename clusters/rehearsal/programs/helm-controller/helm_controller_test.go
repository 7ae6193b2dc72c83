package main

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v2 "github.com/fluxcd/helm-controller/api/v2"
)

func TestVersionCarriesTheArtifactsDigest(t *testing.T) {
	for revision, want := range map[string]string{
		"1.2.3@sha256:0123456789abcdef": "1.2.3+0123456789ab",
		"sha256:0123456789abcdef":       "1.2.3+0123456789ab",
		"latest@sha256:0123456789abcd":  "1.2.3+0123456789ab",
		"1.2.4@sha256:0123456789abcdef": "",
		"1.2.3@sha256:short":            "",
	} {
		got, err := versionWithDigest("1.2.3", revision)
		if (err != nil) != (want == "") || got != want {
			t.Errorf("%s: %q, %v", revision, got, err)
		}
	}
}

func TestReleaseNameFitsHelm(t *testing.T) {
	object := &v2.HelmRelease{ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("a", 60)}}
	if got := releaseName(object); len(got) != 53 {
		t.Errorf("%d characters: %s", len(got), got)
	}
	object.Spec.ReleaseName = "demo"
	if got := releaseName(object); got != "demo" {
		t.Error(got)
	}
}

func TestArgumentsOfTheRealOneAndNoOthers(t *testing.T) {
	real := "--events-addr=http://x --watch-all-namespaces=true --log-level=info --log-encoding=json --enable-leader-election --concurrent=10 " +
		"--requeue-dependency=2s --max-retry-delay=30s --interval-jitter-percentage=0 --http-retry=2 " +
		"--feature-gates=CancelHealthCheckOnNewRevision=true,DefaultToRetryOnFailure=true --events-addr="
	parsed, err := parseOptions(strings.Fields(real))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.concurrent != 10 || parsed.eventsAddr != "" || !parsed.cancelHealthCheck || !parsed.retryOnFailure || !parsed.watchConfigs {
		t.Errorf("%+v", parsed)
	}
	for _, wrong := range []string{"--concurrency=10", "--feature-gates=Unheard=true"} {
		if _, err := parseOptions([]string{wrong}); err == nil {
			t.Error(wrong + " was accepted")
		}
	}
}
