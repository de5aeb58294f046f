package access_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/server/access"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

const scannerToken, personToken = "scanner-token-0123456789", "person-token-0123456789"

func secrets(t *testing.T, list ...string) *access.Secrets {
	t.Helper()
	s, err := access.NewSecrets(access.SecretsConfig{List: list})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func guard(t *testing.T, cfg access.Config) *access.Guard {
	t.Helper()
	g, err := access.NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func request(target string, authorization string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func basic(user, password string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

func TestIdentify(t *testing.T) {
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("a hashed token of length")))
	list := secrets(t, "scanner:write:"+scannerToken, "person:read,delete:"+personToken, "hashed:admin:"+hash)
	for _, c := range []struct {
		name, target, header string
		noBasic              bool
		peer                 string // "" for refused
		scopes               access.Scope
		text                 string // of the refusal
	}{
		{"bearer", "/", "Bearer " + scannerToken, false, "scanner", access.Write, ""},
		{"bearer, lower case", "/", "bearer  " + scannerToken, false, "scanner", access.Write, ""},
		{"hashed", "/", "Bearer a hashed token of length", false, "hashed", access.Admin, ""},
		{"basic", "/", basic("person", personToken), false, "person", access.Read | access.Delete, ""},
		{"basic, another's name", "/", basic("scanner", personToken), false, "", 0, "not known"},
		{"basic, switched off", "/", basic("person", personToken), true, "", 0, "not taken"},
		{"basic, garbage", "/", "Basic !!!", false, "", 0, "not known"},
		{"none", "/", "", false, "", 0, "credentials are needed"},
		{"wrong token", "/", "Bearer " + scannerToken + "x", false, "", 0, "not known"},
		{"prefix of a token", "/", "Bearer " + scannerToken[:20], false, "", 0, "not known"},
		{"empty token", "/", "Bearer ", false, "", 0, "not known"},
		{"the hash itself", "/", "Bearer " + strings.TrimPrefix(hash, "sha256:"), false, "", 0, "not known"},
		{"JWT without a provider", "/", "Bearer a.b.c", false, "", 0, "not known"},
		{"digest", "/", "Digest username=x", false, "", 0, "not taken"},
		{"token in the URL", "/?access_token=" + scannerToken, "", false, "", 0, "leaked"},
		{"token in the URL and the header", "/?a=b&ACCESS_TOKEN=x", "Bearer " + scannerToken, false, "", 0, "leaked"},
		{"a parameter that ends so", "/?no_access_token=x", "Bearer " + scannerToken, false, "scanner", access.Write, ""},
		{"header too long", "/", "Bearer " + strings.Repeat("x", 40<<10), false, "", 0, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := guard(t, access.Config{Secrets: list, NoBasic: c.noBasic})
			p, err := g.Identify(request(c.target, c.header))
			if c.peer == "" {
				if dicomweb.KindOf(err) != dicomweb.Unauthorized || !strings.Contains(err.Error(), c.text) {
					t.Errorf("peer %+v, error %v; want refusal with %q", p, err, c.text)
				}
				if err != nil && (strings.Contains(err.Error(), scannerToken) || strings.Contains(err.Error(), personToken)) {
					t.Errorf("the error shows a token: %v", err)
				}
				return
			}
			if err != nil || p.Name != c.peer || p.Scopes != c.scopes {
				t.Errorf("peer %+v, error %v; want %s with %s", p, err, c.peer, c.scopes)
			}
		})
	}
}

func TestNoGuardLetsEveryoneIn(t *testing.T) {
	var g *access.Guard
	if p, err := g.Identify(request("/", "")); err != nil || p.Scopes != access.All {
		t.Errorf("peer %+v, error %v", p, err)
	}
}

func TestRequire(t *testing.T) {
	p := access.Peer{Name: "x", Scopes: access.Read}
	if err := p.Require(access.Read); err != nil {
		t.Error(err)
	}
	if err := p.Require(access.Public); err != nil {
		t.Error(err)
	}
	err := p.Require(access.Delete)
	if dicomweb.KindOf(err) != dicomweb.Forbidden || !strings.Contains(err.Error(), "delete") {
		t.Errorf("%v, want Forbidden naming the scope", err)
	}
}

func TestChallenge(t *testing.T) {
	g := guard(t, access.Config{Secrets: secrets(t, "a:read:"+scannerToken)})
	for _, c := range []struct {
		name, header string
		noBasic      bool
		err          error
		want         []string
	}{
		{"nothing sent", "", false, dicomweb.Errorf(dicomweb.Unauthorized, ""), []string{`Bearer realm="MOME"`, `Basic realm="MOME", charset="UTF-8"`}},
		{"wrong token", "Bearer x", false, dicomweb.Errorf(dicomweb.Unauthorized, ""), []string{`Bearer realm="MOME", error="invalid_token"`, `Basic realm="MOME", charset="UTF-8"`}},
		{"scope missing", "Bearer x", false, dicomweb.Errorf(dicomweb.Forbidden, ""), []string{`Bearer realm="MOME", error="insufficient_scope", scope="delete"`}},
		{"without Basic", "", true, dicomweb.Errorf(dicomweb.Unauthorized, ""), []string{`Bearer realm="MOME"`}},
	} {
		g := g
		if c.noBasic {
			g = guard(t, access.Config{Secrets: secrets(t, "a:read:"+scannerToken), NoBasic: true})
		}
		if got := g.Challenge(request("/", c.header), c.err, access.Delete); strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSecretsAreChecked(t *testing.T) {
	for name, text := range map[string]string{
		"two fields":          "scanner write",
		"four fields":         "scanner write token-of-enough-length x",
		"short token":         "scanner write short",
		"unknown scope":       "scanner wrote token-of-enough-length",
		"short hash":          "scanner write sha256:abcd",
		"no hexadecimal":      "scanner write sha256:" + strings.Repeat("zz", 32),
		"nameless cert":       "scanner write certificate:",
		"colon in the name":   "scan:ner write token-of-enough-length",
		"nothing but comment": "# nobody\n\n",
	} {
		file := filepath.Join(t.TempDir(), "access")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := access.NewSecrets(access.SecretsConfig{File: file})
		if err == nil || strings.Contains(err.Error(), "token-of-enough-length") {
			t.Errorf("%s: error %v, want one that shows no token", name, err)
		}
	}
}

func TestSecretsAreReadAgain(t *testing.T) {
	file, at := filepath.Join(t.TempDir(), "access"), newClock()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at.advance(time.Minute)
		os.Chtimes(file, at.at, at.at)
	}
	token, line, err := access.NewToken("scanner-1", access.Write)
	if err != nil || strings.Contains(line, token) {
		t.Fatalf("line %q, %v", line, err)
	}
	write("# tokens\n" + line + "\n")
	var log bytes.Buffer
	s, err := access.NewSecrets(access.SecretsConfig{File: file, Now: at.now, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	g := guard(t, access.Config{Secrets: s})
	known := func() bool {
		p, err := g.Identify(request("/", "Bearer "+token))
		return err == nil && p.Name == "scanner-1"
	}
	if !known() {
		t.Fatal("the new token is not known")
	}
	write("half a line")
	if !known() || !strings.Contains(log.String(), "line 1") || strings.Contains(log.String(), "half") {
		t.Errorf("a broken file: known %t, log %s", known(), log.String())
	}
	_, other, _ := access.NewToken("scanner-2", access.Write)
	write(other)
	if known() {
		t.Error("a token whose line is gone is still let in")
	}
}

func FuzzParseSecrets(f *testing.F) {
	for _, seed := range []string{"a read token-of-enough-length\n", "# x\n\nb all sha256:" + strings.Repeat("ab", 32), "c write certificate:pacs.example", "a b", "\x00"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		file := filepath.Join(dir, "access")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		access.NewSecrets(access.SecretsConfig{File: file})
	})
}

// FuzzIdentify has a request with any header and query: nothing panics, and nobody gets in.
func FuzzIdentify(f *testing.F) {
	for _, seed := range []string{"Bearer x", "Basic YTpi", "Basic " + strings.Repeat("=", 99), "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "\x00"} {
		f.Add(seed, "access_token=1&x")
		f.Add(seed, "")
	}
	list, err := access.NewSecrets(access.SecretsConfig{List: []string{"a:read:" + scannerToken}})
	if err != nil {
		f.Fatal(err)
	}
	// The provider does not answer: nothing listens on port 1.
	provider, err := access.NewOpenID(access.OpenIDConfig{Issuer: "http://127.0.0.1:1", Audience: "mome"})
	if err != nil {
		f.Fatal(err)
	}
	g, err := access.NewGuard(access.Config{Secrets: list, OpenID: provider})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		r.URL.RawQuery = query
		p, err := g.Identify(r)
		if err == nil && !strings.Contains(header, scannerToken) {
			t.Errorf("%q let %+v in", header, p)
		}
		g.Challenge(r, err, access.Read)
	})
}

func TestScopes(t *testing.T) {
	for text, want := range map[string]access.Scope{"read": access.Read, "read,write": access.Read | access.Write, " delete , admin": access.Delete | access.Admin, "all": access.All} {
		if got, err := access.ParseScope(text); got != want || err != nil {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "reed", "read,,write", "read write"} {
		if got, err := access.ParseScope(text); err == nil {
			t.Errorf("%q: %s, want an error", text, got)
		}
	}
	if got := access.All.String(); got != "read,write,delete,admin" {
		t.Error(got)
	}
}
