package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/dicomweb/client"
	"mome/fixtures/phantom"
)

// certified writes a certificate for loopback and its key, and returns a client that trusts it.
func certified(t *testing.T) (cert, key string, trusting *http.Client) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return cert, key, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
}

// TestGuardedNode runs a node as a hospital would: HTTPS, a scanner that may store, a person who may read, an
// administrator who may delete; a study goes in and, analysed, out again.
func TestGuardedNode(t *testing.T) {
	cert, key, trusting := certified(t)
	trail := filepath.Join(t.TempDir(), "audit")
	n := startNode(t, t.TempDir(), func(f *nodeFlags) {
		f.accessFlags = accessFlags{
			AccessToken: []string{"scanner:write:scanner-token-0123456789", "person:read:person-token-0123456789", "admin:delete:admin-token-0123456789"},
			Basic:       true, TLSCert: cert, TLSKey: key, AllowDelete: true, Audit: trail, MaxRequest: 64,
		}
	})
	if !strings.HasPrefix(n.url(), "https://") {
		t.Fatalf("the node is at %s", n.url())
	}
	remote := func(token string) *client.Client {
		c, err := client.New(client.Config{URL: n.url() + "/dicom-web", HTTP: trusting, Header: bearer(token)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	s := study(t, phantom.Config{Seed: 31, Resolution: phantom.Tiny})
	if _, err := remote("wrong-token-0123456789").Store(t.Context(), instances(s), client.StoreOptions{}); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("storing with a wrong token: %v, want 401", err)
	}
	sent, err := remote("scanner-token-0123456789").Store(t.Context(), instances(s), client.StoreOptions{})
	if err != nil || sent.Stored != s.Len() {
		t.Fatalf("stored %d of %d: %v", sent.Stored, s.Len(), err)
	}
	status, err := await(t.Context(), n.queue, s.Truth.StudyInstanceUID, newProgressLine(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	report := func(token string) error {
		return remote(token).Retrieve(t.Context(), status.Results.SR[0], func(client.Part) error { return nil })
	}
	if err := report("person-token-0123456789"); err != nil {
		t.Errorf("a person reads the report: %v", err)
	}
	if err := report("scanner-token-0123456789"); err == nil || !strings.Contains(err.Error(), "read") {
		t.Errorf("the scanner reads the report: %v, want a refusal that names the scope", err)
	}
	call := func(method, path, user, token string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, n.url()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if user != "" {
			req.SetBasicAuth(user, token)
		}
		resp, err := trusting.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Errorf("%s %s over %s, want HTTP/2", method, path, resp.Proto)
		}
		return resp.StatusCode
	}
	page := "/study/" + s.Truth.StudyInstanceUID
	for _, c := range []struct {
		method, path, user, token string
		want                      int
	}{
		{"GET", page, "", "", 401},
		{"GET", page, "person", "person-token-0123456789", 200},
		{"GET", "/jobs", "person", "person-token-0123456789", 200},
		{"GET", "/metrics", "person", "person-token-0123456789", 403},
		{"DELETE", "/dicom-web/studies/" + s.Truth.StudyInstanceUID, "person", "person-token-0123456789", 403},
		{"DELETE", "/dicom-web/studies/" + s.Truth.StudyInstanceUID, "admin", "admin-token-0123456789", 204},
		{"GET", "/jobs/" + s.Truth.StudyInstanceUID, "person", "person-token-0123456789", 404},
		{"GET", page, "person", "person-token-0123456789", 404},
	} {
		if got := call(c.method, c.path, c.user, c.token); got != c.want {
			t.Errorf("%s %s by %q: %d, want %d", c.method, c.path, c.user, got, c.want)
		}
	}
	if _, err := n.queue.Status(context.Background(), s.Truth.StudyInstanceUID); dicomweb.KindOf(err) != dicomweb.NotFound {
		t.Errorf("the analysis of a deleted study: %v", err)
	}
	b, err := os.ReadFile(trail)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Application Start", "DICOM Study Deleted", "User Authentication", `"UserID":"scanner"`, s.Truth.StudyInstanceUID} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the audit trail has no %s", want)
		}
	}
	for _, never := range []string{"-token-", "Phantom^", "PHANTOM"} {
		if strings.Contains(string(b), never) {
			t.Errorf("the audit trail holds %s", never)
		}
	}
}

// TestStatementNamesTheClasses holds the lists of the conformance statement against the code that makes objects: results, and the
// phantoms that reading is tested with.
func TestStatementNamesTheClasses(t *testing.T) {
	listed := map[string]bool{}
	for _, u := range append(classesRead(), classesMade()...) {
		listed[u] = true
	}
	used := map[string]bool{}
	name := regexp.MustCompile(`uid\.(\w+Storage)\b`)
	names := map[string]string{}
	b, err := os.ReadFile("../dicomweb/dicom/uid/keywords.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(\w+)\s+= "([0-9.]+)"`).FindAllStringSubmatch(string(b), -1) {
		names[m[1]] = m[2]
	}
	for _, pattern := range []string{"../dicomweb/sr/*.go", "../dicomweb/seg/*.go", "../dicomweb/pm/*.go", "../dicomweb/sc/*.go", "../dicomweb/derived/*.go", "../fixtures/phantom/*.go", "report/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range name.FindAllStringSubmatch(string(b), -1) {
				if used[names[m[1]]] = true; !listed[names[m[1]]] {
					t.Errorf("%s uses %s, which the statement does not list", file, m[1])
				}
			}
		}
	}
	for u := range listed {
		if !used[u] {
			t.Errorf("the statement lists %s, which no code uses", u)
		}
	}
}
