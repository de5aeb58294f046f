package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mome/server/access"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.pem, _, a.cert, a.key = a.certificate(t, "authority", 1)
	return a
}

// certificate makes a certificate for name and loopback, signed by a, or by itself where a has none yet.
func (a *authority) certificate(t *testing.T, name string, serial int64) (certPEM, keyPEM []byte, cert *x509.Certificate, key crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA: a.cert == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if a.cert != nil {
		parent = a.cert
		signer, _ = a.key.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), cert, key
}

// pair makes a certificate for a client.
func (a *authority) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	cert, key, _, _ := a.certificate(t, name, 7)
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// site is an HTTPS server whose certificate lies in files.
type site struct {
	*httptest.Server
	dir   string
	at    *clock
	roots *x509.CertPool
}

func newSite(t *testing.T, a *authority, h http.Handler, clientCA []byte) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), at: newClock(), roots: x509.NewCertPool()}
	s.roots.AddCert(a.cert)
	cert, key, _, _ := a.certificate(t, "node", 2)
	s.write(t, cert, key)
	config := access.TLSConfig{Cert: filepath.Join(s.dir, "cert.pem"), Key: filepath.Join(s.dir, "key.pem"), Now: s.at.now}
	if clientCA != nil {
		config.ClientCA = filepath.Join(s.dir, "ca.pem")
		if err := os.WriteFile(config.ClientCA, clientCA, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := access.NewTLS(config)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, TLSConfig: c}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
	s.Server = &httptest.Server{URL: "https://" + l.Addr().String()}
	return s
}

// write puts certificate and key into the files and moves the clock on.
func (s *site) write(t *testing.T, cert, key []byte) {
	t.Helper()
	s.at.advance(time.Minute)
	for name, b := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		file := filepath.Join(s.dir, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Chtimes(file, s.at.at, s.at.at)
	}
}

// get makes a request over a connection of its own.
func (s *site) get(config *tls.Config) (*http.Response, error) {
	config.RootCAs = s.roots
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(s.URL)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

func TestTLSIsReloaded(t *testing.T) {
	a := newAuthority(t)
	s := newSite(t, a, http.NotFoundHandler(), nil)
	serial := func() int64 {
		t.Helper()
		resp, err := s.get(&tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 {
			t.Errorf("%s, want HTTP/2", resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 2 {
		t.Fatalf("serial %d, want 2", got)
	}
	cert, key, _, _ := a.certificate(t, "node", 3)
	s.write(t, cert, []byte("half a key"))
	if got := serial(); got != 2 {
		t.Errorf("serial %d while the key is broken, want the old one", got)
	}
	s.write(t, cert, key)
	if got := serial(); got != 3 {
		t.Errorf("serial %d after the files changed, want 3", got)
	}
}

func TestTLSVersions(t *testing.T) {
	s := newSite(t, newAuthority(t), http.NotFoundHandler(), nil)
	if _, err := s.get(&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was taken")
	}
	if _, err := s.get(&tls.Config{MaxVersion: tls.VersionTLS12}); err != nil {
		t.Error("TLS 1.2:", err)
	}
}

func TestClientCertificates(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	g := guard(t, access.Config{Secrets: secrets(t, "pacs:read,write:certificate:pacs.example", "person:read:"+personToken)})
	s := newSite(t, a, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := g.Identify(r)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !p.Ambient {
			t.Errorf("a certificate is not ambient: %+v", p)
		}
		w.Header().Set("Peer", p.Name+" "+p.Scopes.String())
	}), a.pem)
	for _, c := range []struct {
		name   string
		config *tls.Config
		status int // 0 for a failed handshake
		peer   string
	}{
		{"of the list", &tls.Config{Certificates: []tls.Certificate{a.pair(t, "pacs.example")}}, 200, "pacs read,write"},
		{"valid, not of the list", &tls.Config{Certificates: []tls.Certificate{a.pair(t, "other.example")}}, 401, ""},
		{"none", &tls.Config{}, 401, ""},
		{"of another authority", &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c := stranger.pair(t, "pacs.example")
			return &c, nil
		}}, 0, ""},
	} {
		resp, err := s.get(c.config)
		switch {
		case c.status == 0 && err == nil:
			t.Errorf("%s: %s", c.name, resp.Status)
		case c.status != 0 && (err != nil || resp.StatusCode != c.status || resp.Header.Get("Peer") != c.peer):
			t.Errorf("%s: %v, %v; want %d for %q", c.name, resp, err, c.status, c.peer)
		}
	}
}

func TestTLSConfigIsChecked(t *testing.T) {
	for name, c := range map[string]access.TLSConfig{
		"no key":  {Cert: "cert.pem"},
		"no file": {Cert: "/nowhere/cert.pem", Key: "/nowhere/key.pem"},
	} {
		if _, err := access.NewTLS(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
