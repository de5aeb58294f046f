package access_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mome/dicomweb"
	"mome/server/access"
)

// provider is an OpenID provider on loopback with one key of each kind.
type provider struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]crypto.Signer // by kid
	asked   int                      // how often for its keys
	down    bool
	issuer  string // as its discovery document says; default its URL
	jwksURI string // likewise
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{keys: map[string]crypto.Signer{}}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.keys["rsa"], p.keys["ec"], p.keys["ed"] = r, e, d
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	p.issuer, p.jwksURI = p.URL, p.URL+"/keys"
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		http.Error(w, "down", 503)
	case r.URL.Path == "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": p.issuer, "jwks_uri": p.jwksURI})
	case r.URL.Path == "/keys":
		p.asked++
		set := []map[string]string{{"kty": "oct", "kid": "secret", "k": "AAAA"}}
		for id, k := range p.keys {
			set = append(set, published(id, k))
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": set})
	}
}

// published is the public key as a JWK.
func published(id string, k crypto.Signer) map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := k.Public().(type) {
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "kid": id, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		b, _ := k.Bytes()
		size := (len(b) - 1) / 2
		return map[string]string{"kty": "EC", "kid": id, "crv": k.Params().Name, "x": b64(b[1 : 1+size]), "y": b64(b[1+size:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "kid": id, "crv": "Ed25519", "alg": "EdDSA", "x": b64(k)}
	}
	return nil
}

// sign makes a token. The claims are those of a valid one, changed by what is given; nil takes a claim out.
func (p *provider) sign(t *testing.T, at time.Time, method jwt.SigningMethod, kid string, key any, change map[string]any) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": p.URL, "aud": "mome", "sub": "alice", "scope": "openid read", "iat": at.Unix(), "exp": at.Add(time.Hour).Unix()}
	for name, v := range change {
		if claims[name] = v; v == nil {
			delete(claims, name)
		}
	}
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func openID(t *testing.T, cfg access.OpenIDConfig) *access.Guard {
	t.Helper()
	o, err := access.NewOpenID(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return guard(t, access.Config{OpenID: o})
}

func TestJWT(t *testing.T) {
	p, at := newProvider(t), newClock()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(p.keys["rsa"].Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	ago := func(d time.Duration) int64 { return at.at.Add(-d).Unix() }
	for _, c := range []struct {
		name    string
		method  jwt.SigningMethod
		kid     string
		key     any // default that of kid
		change  map[string]any
		refusal string // "" for none
		scopes  access.Scope
	}{
		{"RS256", jwt.SigningMethodRS256, "rsa", nil, nil, "", access.Read},
		{"PS256", jwt.SigningMethodPS256, "rsa", nil, nil, "", access.Read},
		{"ES256", jwt.SigningMethodES256, "ec", nil, nil, "", access.Read},
		{"EdDSA", jwt.SigningMethodEdDSA, "ed", nil, nil, "", access.Read},
		{"audience among others", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"aud": []string{"other", "mome"}}, "", access.Read},
		{"scopes with a prefix", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"scope": "mome:write mome.delete https://mome.example/admin"}, "", access.Write | access.Delete | access.Admin},
		{"scopes as a list", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"scope": nil, "scp": []string{"write"}}, "", access.Write},
		{"no scope for this node", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"scope": "openid all"}, "", 0},
		{"expired within the leeway", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"exp": ago(30 * time.Second)}, "", access.Read},

		{"expired", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"exp": ago(2 * time.Minute)}, "expired", 0},
		{"never expires", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"exp": nil}, "missing", 0},
		{"not valid yet", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"nbf": ago(-2 * time.Minute)}, "not valid yet", 0},
		{"another audience", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"aud": "other"}, "audience", 0},
		{"no audience", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"aud": nil}, "aud", 0},
		{"another issuer", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"iss": "https://evil.example"}, "issuer", 0},
		{"no subject", jwt.SigningMethodRS256, "rsa", nil, map[string]any{"sub": nil}, "subject", 0},
		{"another's key", jwt.SigningMethodRS256, "rsa", other, nil, "signature", 0},
		{"unknown key", jwt.SigningMethodRS256, "none of mine", other, nil, "no key", 0},
		{"no kid among several keys", jwt.SigningMethodRS256, "", p.keys["rsa"], nil, "no key", 0},
		{"alg none", jwt.SigningMethodNone, "rsa", jwt.UnsafeAllowNoneSignatureType, nil, "signature or algorithm", 0},
		{"HS256 with the public key as its secret", jwt.SigningMethodHS256, "rsa", publicPEM, nil, "signature or algorithm", 0},
		{"HS256 with the DER of the public key", jwt.SigningMethodHS256, "rsa", der, nil, "signature or algorithm", 0},
		{"ES256 by the kid of an RSA key", jwt.SigningMethodES256, "rsa", p.keys["ec"], nil, "signature", 0},
		{"RS256 by the kid of a key for EdDSA", jwt.SigningMethodRS256, "ed", p.keys["rsa"], nil, "no key", 0},
		{"a symmetric key that is published", jwt.SigningMethodHS256, "secret", []byte{0, 0, 0}, nil, "signature or algorithm", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.key == nil {
				c.key = p.keys[c.kid]
			}
			peer, err := g.Identify(request("/", "Bearer "+p.sign(t, at.at, c.method, c.kid, c.key, c.change)))
			if c.refusal != "" {
				if dicomweb.KindOf(err) != dicomweb.Unauthorized || !strings.Contains(err.Error(), c.refusal) {
					t.Errorf("peer %+v, error %v; want a refusal with %q", peer, err, c.refusal)
				}
				return
			}
			if err != nil || peer.Name != "alice" || peer.Scopes != c.scopes || peer.Ambient {
				t.Errorf("peer %+v, error %v; want alice with %q", peer, err, c.scopes)
			}
		})
	}
}

// TestTokensBesideAProvider: a token of the node's own is one whatever it looks like.
func TestTokensBesideAProvider(t *testing.T) {
	p, at := newProvider(t), newClock()
	o, err := access.NewOpenID(access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	const dotted = "scanner.room-1.0123456789"
	g := guard(t, access.Config{OpenID: o, Secrets: secrets(t, "scanner:write:"+dotted, "person:read:"+personToken)})
	for token, want := range map[string]string{
		dotted: "scanner", personToken: "person", p.sign(t, at.at, jwt.SigningMethodES256, "ec", p.keys["ec"], nil): "alice", "a.b.c": "", "unknown-token-0123456789": "",
	} {
		peer, err := g.Identify(request("/", "Bearer "+token))
		if peer.Name != want || (err != nil) != (want == "") {
			t.Errorf("%.20s: %+v, %v, want %q", token, peer, err, want)
		}
	}
}

// TestJWTWithExtensions: a token that is to be understood in a way that is not known here is refused (RFC 7515 section 4.1.11).
func TestJWTWithExtensions(t *testing.T) {
	p, at := newProvider(t), newClock()
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": p.URL, "aud": "mome", "sub": "alice", "scope": "read", "exp": at.at.Add(time.Hour).Unix()})
	token.Header["kid"], token.Header["crit"], token.Header["bound-to"] = "ec", []string{"bound-to"}, "another node"
	text, err := token.SignedString(p.keys["ec"])
	if err != nil {
		t.Fatal(err)
	}
	if peer, err := g.Identify(request("/", "Bearer "+text)); dicomweb.KindOf(err) != dicomweb.Unauthorized || !strings.Contains(err.Error(), "extensions") {
		t.Errorf("peer %+v, error %v; want a refusal", peer, err)
	}
}

func TestJWTIsNotChanged(t *testing.T) {
	p, at := newProvider(t), newClock()
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	token := p.sign(t, at.at, jwt.SigningMethodES256, "ec", p.keys["ec"], nil)
	parts := strings.Split(token, ".")
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "openid read", "openid delete", 1)))
	for name, text := range map[string]string{"claims changed": strings.Join(parts, "."), "no signature": parts[0] + "." + parts[1] + ".", "garbage": "a.b.c"} {
		if peer, err := g.Identify(request("/", "Bearer "+text)); dicomweb.KindOf(err) != dicomweb.Unauthorized {
			t.Errorf("%s: peer %+v, error %v", name, peer, err)
		}
	}
}

func TestGrants(t *testing.T) {
	p, at := newProvider(t), newClock()
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now, Claim: "groups", Grants: map[string]access.Scope{"radiology": access.Read | access.Delete}})
	for _, c := range []struct {
		groups any
		want   access.Scope
	}{
		{[]string{"staff", "radiology"}, access.Read | access.Delete},
		{"radiology", access.Read | access.Delete},
		{[]string{"read", "admin"}, 0}, // names of scopes mean nothing where a setting says what does
		{[]any{1, nil, map[string]any{}}, 0},
		{nil, 0},
	} {
		peer, err := g.Identify(request("/", "Bearer "+p.sign(t, at.at, jwt.SigningMethodES256, "ec", p.keys["ec"], map[string]any{"groups": c.groups})))
		if err != nil || peer.Scopes != c.want {
			t.Errorf("groups %v: %+v, %v; want %q", c.groups, peer, err, c.want)
		}
	}
}

// TestKeysRotate replaces the provider's keys, and counts how often the node asks for them.
func TestKeysRotate(t *testing.T) {
	p, at := newProvider(t), newClock()
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	try := func(kid string) error {
		_, err := g.Identify(request("/", "Bearer "+p.sign(t, at.at, jwt.SigningMethodES256, kid, p.keys["ec"], nil)))
		return err
	}
	asked := func(want int, when string) {
		t.Helper()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked != want {
			t.Errorf("%s: asked %d times for the keys, want %d", when, p.asked, want)
		}
	}
	for range 3 {
		if err := try("ec"); err != nil {
			t.Fatal(err)
		}
	}
	asked(1, "three tokens of one key")
	for i := range 5 { // as someone would who invents keys
		if err := try(fmt.Sprint("unknown", i)); dicomweb.KindOf(err) != dicomweb.Unauthorized {
			t.Error(err)
		}
	}
	asked(1, "unknown keys at once")
	at.advance(31 * time.Second)
	try("unknown")
	try("unknown")
	asked(2, "unknown keys after the pause")

	p.mu.Lock()
	p.keys = map[string]crypto.Signer{"next": p.keys["ec"], "ec": p.keys["ec"]}
	p.mu.Unlock()
	at.advance(31 * time.Second)
	if err := try("next"); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	asked(3, "a new key")

	p.mu.Lock()
	p.keys = map[string]crypto.Signer{"last": p.keys["ec"], "ec": p.keys["ec"]}
	p.mu.Unlock()
	at.advance(2 * time.Hour)
	if err := try("next"); dicomweb.KindOf(err) != dicomweb.Unauthorized {
		t.Errorf("a key that was withdrawn two hours ago: %v", err)
	}
	if err := try("last"); err != nil {
		t.Error(err)
	}
	asked(4, "keys of two hours ago")

	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	at.advance(2 * time.Hour)
	if err := try("last"); err != nil {
		t.Errorf("the provider is down since minutes: %v", err)
	}
	at.advance(24 * time.Hour)
	if err := try("last"); dicomweb.KindOf(err) != dicomweb.Unavailable {
		t.Errorf("the provider is down since a day: %v, want Unavailable", err)
	}
}

// TestKeysAreFetchedOnceForAll holds the provider back until tokens wait for its keys.
func TestKeysAreFetchedOnceForAll(t *testing.T) {
	p, at := newProvider(t), newClock()
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	token := p.sign(t, at.at, jwt.SigningMethodES256, "ec", p.keys["ec"], nil)
	var begun, ended sync.WaitGroup
	p.mu.Lock()
	for range 8 {
		begun.Add(1)
		ended.Go(func() {
			begun.Done()
			if _, err := g.Identify(request("/", "Bearer "+token)); err != nil {
				t.Error(err)
			}
		})
	}
	begun.Wait()
	p.mu.Unlock()
	ended.Wait()
	if p.asked != 1 {
		t.Errorf("asked %d times for the keys, want once", p.asked)
	}
}

func TestProviderIsChecked(t *testing.T) {
	for name, change := range map[string]func(*provider){
		"another issuer":          func(p *provider) { p.issuer = "https://evil.example" },
		"keys elsewhere, no TLS":  func(p *provider) { p.jwksURI = "http://keys.example/keys" },
		"keys are no document":    func(p *provider) { p.jwksURI = p.URL + "/nothing" },
		"no key that can be used": func(p *provider) { p.keys = nil },
	} {
		p, at := newProvider(t), newClock()
		token := p.sign(t, at.at, jwt.SigningMethodES256, "ec", p.keys["ec"], nil)
		change(p)
		g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
		if _, err := g.Identify(request("/", "Bearer "+token)); dicomweb.KindOf(err) != dicomweb.Unavailable {
			t.Errorf("%s: %v, want Unavailable", name, err)
		}
	}
}

func TestSingleKeyNeedsNoName(t *testing.T) {
	p, at := newProvider(t), newClock()
	p.keys = map[string]crypto.Signer{"only": p.keys["ec"]}
	g := openID(t, access.OpenIDConfig{Issuer: p.URL, Audience: "mome", Now: at.now})
	if _, err := g.Identify(request("/", "Bearer "+p.sign(t, at.at, jwt.SigningMethodES256, "", p.keys["only"], nil))); err != nil {
		t.Error(err)
	}
}
