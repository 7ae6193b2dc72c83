// Package rehearsal holds the go.mod of the rehearsal cluster's programs, and in it the HelmRelease API for controller-gen.
package rehearsal

import _ "github.com/fluxcd/helm-controller/api/v2"
