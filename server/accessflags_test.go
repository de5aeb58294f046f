package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mome/server/web"
)

// TestOpenNodesStayOnLoopback checks which nodes start: those beyond loopback need access control and TLS, or a flag
// that says that neither is wanted.
func TestOpenNodesStayOnLoopback(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access")
	token := accessFlags{AccessFile: file}
	with := func(f accessFlags, change func(*accessFlags)) accessFlags { change(&f); return f }
	for _, c := range []struct {
		name, addr string
		flags      accessFlags
		want       []string // what the refusal names; nil for none
	}{
		{"loopback", "127.0.0.1:8080", accessFlags{}, nil},
		{"another loopback", "127.1.2.3:80", accessFlags{}, nil},
		{"loopback, IPv6", "[::1]:8080", accessFlags{}, nil},
		{"localhost", "localhost:8080", accessFlags{}, nil},
		{"all addresses", ":8080", accessFlags{}, []string{"--access-file", "--oidc-issuer", "--without-access-control", "--tls-cert", "--trust-forwarded", "--without-tls"}},
		{"all addresses, IPv6", "[::]:8080", accessFlags{}, []string{"--access-file"}},
		{"a name that is not loopback", "node.example:8080", accessFlags{}, []string{"--access-file"}},
		{"tokens without TLS", "0.0.0.0:8080", token, []string{"--tls-cert"}},
		{"TLS without tokens", "0.0.0.0:8080", accessFlags{TLSCert: "c"}, []string{"--access-file"}},
		{"tokens and TLS", "0.0.0.0:8080", with(token, func(f *accessFlags) { f.TLSCert = "c" }), nil},
		{"tokens behind a proxy", "0.0.0.0:8080", with(token, func(f *accessFlags) { f.TrustForwarded = true }), nil},
		{"open by will", "0.0.0.0:8080", accessFlags{WithoutAccessControl: true, WithoutTLS: true}, nil},
		{"no port", "0.0.0.0", accessFlags{}, []string{"host:port"}},
	} {
		err := c.flags.permit(c.addr)
		if (err != nil) != (c.want != nil) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q does not name %s in one line", c.name, err, want)
			}
		}
	}
}

// TestRefusalComesBeforeListening starts a node that must not, and looks whether it touched anything.
func TestRefusalComesBeforeListening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, err := openNode(t.Context(), nodeFlags{Addr: "0.0.0.0:0", Data: dir}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "--without-access-control") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the archive was made")
	}
}

func TestAccessFlags(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags accessFlags
		want  string // in the error; "" for none
	}{
		{"none", accessFlags{}, ""},
		{"a token", accessFlags{AccessToken: []string{"a:read:token-of-enough-length"}}, ""},
		{"a short token", accessFlags{AccessToken: []string{"a:read:short"}}, "shorter than"},
		{"no such file", accessFlags{AccessFile: "/nowhere/access"}, "/nowhere/access"},
		{"issuer without audience", accessFlags{OIDCIssuer: "https://id.example"}, "audience"},
		{"issuer over plain HTTP", accessFlags{OIDCIssuer: "http://id.example", OIDCAudience: "mome"}, "https"},
		{"issuer of a name that begins as loopback does", accessFlags{OIDCIssuer: "http://127.id.example", OIDCAudience: "mome"}, "https"},
		{"a grant of no scope", accessFlags{OIDCIssuer: "https://id.example", OIDCAudience: "mome", OIDCGrant: map[string]string{"x": "everything"}}, "--oidc-grant x"},
		{"certificate without key", accessFlags{TLSCert: "c.pem"}, "key"},
		{"client CA without TLS", accessFlags{TLSClientCA: "ca.pem"}, "--tls-cert"},
		{"negative rate", accessFlags{Rate: -1}, "negative"},
		{"audit into nowhere", accessFlags{Audit: "/nowhere/audit"}, "audit"},
	} {
		var config web.Config
		err := c.flags.protect(&config, slog.New(slog.DiscardHandler))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.name, err, c.want)
		}
	}
}

// TestTokenCommand makes a token as a person does and lets a node read its line.
func TestTokenCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access")
	out := stdout(t, func() {
		if err := (&tokenCommand{Name: "scanner-1", Scopes: "write", File: file}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	token := strings.TrimSpace(out)
	b, err := os.ReadFile(file)
	if err != nil || len(token) < 40 || strings.Contains(string(b), token) || !strings.HasPrefix(string(b), "scanner-1 write sha256:") {
		t.Fatalf("printed %d characters, file %q, %v", len(token), b, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the file can be read by others: %v, %v", info.Mode(), err)
	}
	if err := os.Truncate(file, int64(len(b)-1)); err != nil { // as editors leave a file that end no last line
		t.Fatal(err)
	}
	stdout(t, func() {
		if err := (&tokenCommand{Name: "viewer", Scopes: "read", File: file}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "\nviewer read sha256:") {
		t.Errorf("file %q, %v, want a line of its own for the second token", b, err)
	}
	var config web.Config
	if err := (&accessFlags{AccessFile: file}).protect(&config, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []tokenCommand{{Name: "a b", Scopes: "read"}, {Name: "a", Scopes: "rule"}} {
		if err := bad.Run(t.Context()); err == nil {
			t.Errorf("%+v made a token", bad)
		}
	}
}

// stdout returns what fn prints.
func stdout(t *testing.T, fn func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdout
	os.Stdout = w
	fn()
	os.Stdout = before
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
