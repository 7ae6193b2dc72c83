package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/opencontainers/go-digest"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

var errArtifactNotFound = errors.New("artifact not found")

// fetchChart downloads the source's artifact from source-controller and verifies its digest.
// An OCI artifact's digest becomes part of the chart's version, so that a moved tag is an upgrade.
func (o options) fetchChart(ctx context.Context, source chartSource) (chart *chartv2.Chart, revision string, err error) {
	artifact := source.GetArtifact()
	content, err := o.download(ctx, artifact.URL)
	if err != nil {
		return nil, "", err
	}
	want, err := digest.Parse(artifact.Digest)
	if err != nil {
		return nil, "", fmt.Errorf("failed to parse digest '%s': %w", artifact.Digest, err)
	}
	if want.Algorithm().FromBytes(content) != want {
		return nil, "", fmt.Errorf("integrity failure: computed digest doesn't match '%s'", want)
	}
	chart, err = loader.LoadArchive(bytes.NewReader(content))
	if err != nil {
		return nil, "", err
	}
	if _, ok := source.(*sourcev1.OCIRepository); !ok {
		return chart, "", nil
	}
	revision = revisionDigest(artifact.Revision)
	if o.digestTracking {
		chart.Metadata.Version, err = versionWithDigest(chart.Metadata.Version, artifact.Revision)
	}
	return chart, revision, err
}

func (o options) download(ctx context.Context, address string) ([]byte, error) {
	if host := os.Getenv("SOURCE_CONTROLLER_LOCALHOST"); host != "" {
		parsed, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		parsed.Host = host
		address = parsed.String()
	}
	fetcher := retryablehttp.NewClient()
	fetcher.Logger, fetcher.RetryMax, fetcher.HTTPClient.Timeout = nil, o.httpRetry, o.httpTimeout
	fetcher.RetryWaitMin, fetcher.RetryWaitMax = 5*time.Second, 30*time.Second
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	response, err := fetcher.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusNotFound:
		return nil, fmt.Errorf("failed to download chart from '%s': %w", address, errArtifactNotFound)
	default:
		return nil, fmt.Errorf("failed to download chart from '%s' (status: %s)", address, response.Status)
	}
}

// revisionDigest is the digest of a revision such as "1.2.3@sha256:…" or "sha256:…".
func revisionDigest(revision string) string {
	if _, after, found := strings.Cut(revision, "@"); found {
		return after
	}
	return revision
}

func versionWithDigest(version, revision string) (string, error) {
	parsed, err := semver.NewVersion(version)
	if err != nil {
		return "", fmt.Errorf("invalid chart version %s", version)
	}
	tag, _, _ := strings.Cut(revision, "@")
	if tagged, err := semver.NewVersion(strings.ReplaceAll(tag, "_", "+")); err == nil && !tagged.Equal(parsed) {
		return "", fmt.Errorf("artifact revision %s does not match chart version %s", tag, version)
	}
	_, hash, _ := strings.Cut(revisionDigest(revision), ":")
	if len(hash) < 12 {
		return "", fmt.Errorf("invalid artifact revision %s", revision)
	}
	marked, err := parsed.SetMetadata(hash[:12])
	return marked.String(), err
}
