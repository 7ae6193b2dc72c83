package main

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"helm.sh/helm/v4/pkg/action"

	v2 "github.com/fluxcd/helm-controller/api/v2"
)

// originLabels say which HelmRelease an object comes from.
func originLabels(object *v2.HelmRelease) map[string]string {
	return map[string]string{v2.GroupVersion.Group + "/name": object.Name, v2.GroupVersion.Group + "/namespace": object.Namespace}
}

// kustomizer is Helm's post-renderer: the release's own post-renderers in turn, then its common and origin labels.
type kustomizer struct{ steps []map[string]any }

func newKustomizer(object *v2.HelmRelease) kustomizer {
	var steps []map[string]any
	for _, renderer := range object.Spec.PostRenderers {
		if renderer.Kustomize != nil {
			steps = append(steps, map[string]any{"patches": renderer.Kustomize.Patches, "images": renderer.Kustomize.Images})
		}
	}
	labels := map[string]string{}
	if object.Spec.CommonMetadata != nil {
		maps.Copy(labels, object.Spec.CommonMetadata.Labels)
	}
	maps.Copy(labels, originLabels(object))
	return kustomizer{append(steps, map[string]any{"labels": []map[string]any{{"pairs": labels}}})}
}

func (k kustomizer) Run(manifests *bytes.Buffer) (*bytes.Buffer, error) {
	if len(bytes.TrimSpace(manifests.Bytes())) == 0 {
		return manifests, nil
	}
	content := manifests.Bytes()
	for _, step := range k.steps {
		step["resources"] = []string{"manifests.yaml"}
		definition, err := yaml.Marshal(step)
		if err != nil {
			return nil, err
		}
		files := filesys.MakeFsInMemory()
		if err := files.WriteFile("manifests.yaml", content); err != nil {
			return nil, err
		}
		if err := files.WriteFile("kustomization.yaml", definition); err != nil {
			return nil, err
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
		if err != nil {
			return nil, err
		}
		if content, err = built.AsYaml(); err != nil {
			return nil, err
		}
	}
	return bytes.NewBuffer(content), nil
}

func postRenderStrategy(object *v2.HelmRelease) action.PostRenderStrategy {
	if strategy := object.GetPostRenderStrategy(); strategy != "" {
		return action.PostRenderStrategy(strategy)
	}
	return action.PostRenderStrategyCombined
}

// renderDigests are what status keeps of the post-renderers and the common metadata, to see them change.
func renderDigests(object *v2.HelmRelease) (renderers, metadata string, err error) {
	if object.Spec.PostRenderers != nil {
		if renderers, err = digestJSON(object.Spec.PostRenderers); err != nil {
			return "", "", err
		}
	}
	if object.Spec.CommonMetadata != nil {
		metadata, err = digestJSON(object.Spec.CommonMetadata)
	}
	return renderers, metadata, err
}

func digestJSON(value any) (string, error) {
	encoded, err := json.Marshal(value)
	return digest.Canonical.FromBytes(encoded).String(), err
}
