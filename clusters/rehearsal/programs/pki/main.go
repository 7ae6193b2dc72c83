// Command pki makes the private certificates of one rehearsal: pki OUT_DIR NAME[:SAN,SAN...] ...
//
// It writes ca.pem and ca-key.pem once, and NAME.pem and NAME-key.pem for each name, good for servers and clients on loopback.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const validity = 10 * 365 * 24 * time.Hour

type pair struct {
	certificate *x509.Certificate
	key         crypto.PrivateKey
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: pki OUT_DIR NAME[:SAN,SAN...] ...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "pki:", err)
		os.Exit(1)
	}
}

func run(dir string, names []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	authority, err := loadOrMakeAuthority(filepath.Join(dir, "ca"))
	if err != nil {
		return err
	}
	for _, argument := range names {
		name, sans, _ := strings.Cut(argument, ":")
		leaf := template(name)
		leaf.KeyUsage = x509.KeyUsageDigitalSignature
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		leaf.DNSNames = append([]string{"localhost"}, strings.FieldsFunc(sans, func(r rune) bool { return r == ',' })...)
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		if _, err := issue(filepath.Join(dir, name), leaf, &authority); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func loadOrMakeAuthority(path string) (pair, error) {
	loaded, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return loaded, err
	}
	ca := template("rehearsal")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	return issue(path, ca, nil)
}

func template(name string) *x509.Certificate {
	// An hour of grace for clocks that differ.
	start := time.Now().Add(-time.Hour)
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: start, NotAfter: start.Add(validity)}
}

// issue writes path.pem and path-key.pem, signed by the authority, or by itself without one.
func issue(path string, leaf *x509.Certificate, authority *pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	if leaf.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return pair{}, err
	}
	if authority == nil {
		authority = &pair{leaf, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority.certificate, key.Public(), authority.key)
	if err != nil {
		return pair{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return pair{}, err
	}
	if err := write(path+"-key.pem", "PRIVATE KEY", keyDER, 0o600); err != nil {
		return pair{}, err
	}
	if err := write(path+".pem", "CERTIFICATE", der, 0o644); err != nil {
		return pair{}, err
	}
	return load(path)
}

func write(path, kind string, der []byte, mode fs.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func load(path string) (pair, error) {
	loaded, err := tls.LoadX509KeyPair(path+".pem", path+"-key.pem")
	return pair{loaded.Leaf, loaded.PrivateKey}, err
}
