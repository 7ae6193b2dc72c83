package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
)

// What the API server must serve before the control loops start. client-go would list again by itself, but with pauses of up to 30 s.
var served = map[string][]string{
	"cert-manager.io/v1":      {"certificates", "certificaterequests", "clusterissuers", "issuers"},
	"acme.cert-manager.io/v1": {"challenges", "orders"},
}

// waitForCRDs asks until every kind is served. It never gives up but for ctx, and says once what it waits for.
func waitForCRDs(ctx context.Context, api discovery.DiscoveryInterface) error {
	said := ""
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
		missing := missingKind(api)
		if missing != "" && missing != said {
			fmt.Fprintln(os.Stderr, "waiting for", missing)
			said = missing
		}
		return missing == "", nil
	})
}

func missingKind(api discovery.DiscoveryInterface) string {
	for version, names := range served {
		list, err := api.ServerResourcesForGroupVersion(version)
		if err != nil {
			return fmt.Sprintf("%s: %v", version, err)
		}
		known := map[string]bool{}
		for _, resource := range list.APIResources {
			known[resource.Name] = true
		}
		for _, name := range names {
			if !known[name] {
				return name + "." + version
			}
		}
	}
	return ""
}
