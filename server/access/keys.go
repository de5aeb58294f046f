package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mome/dicomweb"
)

// keySet is the provider's published keys (JWK Set, RFC 7517), fetched when they are first needed and again when they
// are old or a token names a key that is not among them, as after a rotation.
type keySet struct {
	issuer string
	http   *http.Client
	now    func() time.Time

	fetching sync.Mutex // one fetch serves all who wait for it

	mu      sync.Mutex
	keys    []key
	fetched time.Time // the last success
	tried   time.Time // the last attempt
}

// How old keys may get before they are fetched again, how long they still serve when that fails, and how often an
// unknown key or a failure may lead to a fetch: else anyone could have the node hammer the provider.
const (
	keysFresh = time.Hour
	keysStale = 24 * time.Hour
	keysPause = 30 * time.Second
)

// key is one public key: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
type key struct {
	id, algorithm string // as the set says, "" where it does not
	public        any
}

var errNoKey = errors.New("access: no such key")

func newKeySet(issuer string, client *http.Client, now func() time.Time) *keySet {
	return &keySet{issuer: issuer, http: client, now: now}
}

// find returns the key that a token names. A token that names none gets the only key, where there is one only. An error
// of kind dicomweb.Unavailable means that the provider could not be asked.
func (s *keySet) find(ctx context.Context, id, algorithm string) (any, error) {
	public, due, err := s.lookup(id, algorithm)
	switch {
	case !due || err == nil && !s.fetching.TryLock(): // who finds its key does not wait for another's fetch
		return public, err
	case err != nil:
		s.fetching.Lock()
	}
	defer s.fetching.Unlock()
	if public, due, err = s.lookup(id, algorithm); due {
		s.refresh(ctx)
		public, _, err = s.lookup(id, algorithm)
	}
	return public, err
}

// refresh fetches the keys; a failure leaves those that there are. A client that goes away does not end it: it could
// have the node ask again and again.
func (s *keySet) refresh(ctx context.Context) {
	keys, err := s.fetch(context.WithoutCancel(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried = s.now()
	if err == nil {
		s.keys, s.fetched = keys, s.tried
	}
}

// lookup returns the key or find's error, and whether the keys are due to be fetched on its account.
func (s *keySet) lookup(id, algorithm string) (public any, due bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	age := now.Sub(s.fetched)
	if err = errNoKey; age >= keysStale { // keys that were never fetched are the oldest
		err = dicomweb.Errorf(dicomweb.Unavailable, "the keys of %s cannot be had", s.issuer)
	} else if i := slices.IndexFunc(s.keys, func(k key) bool {
		return (k.algorithm == "" || k.algorithm == algorithm) && (k.id == id && id != "" || id == "" && len(s.keys) == 1)
	}); i >= 0 {
		public, err = s.keys[i].public, nil
	}
	return public, (err != nil || age >= keysFresh) && now.Sub(s.tried) >= keysPause, err
}

// fetch asks the provider where its keys are (OpenID Connect Discovery 1.0 section 4) and gets them.
func (s *keySet) fetch(ctx context.Context) ([]key, error) {
	var discovery struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := s.get(ctx, strings.TrimSuffix(s.issuer, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	if discovery.Issuer != s.issuer { // section 4.3: they must be the same
		return nil, fmt.Errorf("access: the provider calls itself another issuer than %s", s.issuer)
	}
	u, err := url.Parse(discovery.JWKSURI)
	if err != nil || u.Scheme != "https" && !(u.Scheme == "http" && Loopback(u.Hostname())) {
		return nil, errors.New("access: the provider's jwks_uri is no https URL")
	}
	var set json.RawMessage
	if err := s.get(ctx, discovery.JWKSURI, &set); err != nil {
		return nil, err
	}
	return parseKeys(set)
}

// maxDocument bounds what is read of a provider's answer, in bytes; real ones have some thousand.
const maxDocument = 1 << 20

func (s *keySet) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("access: the provider answers %s", resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// jwk is a JSON Web Key, RFC 7517 and RFC 7518 section 6; numbers are big-endian in base64url.
type jwk struct {
	Kty, Use, Kid, Alg, Crv, N, E, X, Y string
}

// parseKeys reads a JWK Set. Keys that are not for signatures, of an unknown kind, broken or too weak are left out, as
// RFC 7517 section 5 asks; a set without any usable key is an error.
func parseKeys(b []byte) ([]key, error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("access: the provider's keys are no JWK Set: %w", err)
	}
	var keys []key
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		if public := k.public(); public != nil {
			keys = append(keys, key{k.Kid, k.Alg, public})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("access: the provider publishes no key that can be used")
	}
	return keys, nil
}

// public returns the key, nil for one that cannot be used.
func (k jwk) public() any {
	switch k.Kty {
	case "RSA":
		return k.rsa()
	case "EC":
		return k.ecdsa()
	case "OKP":
		if x, err := base64.RawURLEncoding.DecodeString(k.X); err == nil && k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			return ed25519.PublicKey(x)
		}
	}
	return nil
}

// rsa takes keys of 2048 bits, the least that RFC 7518 section 3.3 allows, to 8192, beyond which checking gets slow.
func (k jwk) rsa() any {
	n, err := base64.RawURLEncoding.DecodeString(k.N)
	e, err2 := base64.RawURLEncoding.DecodeString(k.E)
	modulus, exponent := new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if err != nil || err2 != nil || modulus.BitLen() < 2048 || modulus.BitLen() > 8192 || !exponent.IsInt64() ||
		exponent.Int64() < 3 || exponent.Int64() > 1<<31-1 || exponent.Int64()%2 == 0 {
		return nil
	}
	return &rsa.PublicKey{N: modulus, E: int(exponent.Int64())}
}

func (k jwk) ecdsa() any {
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k.Crv]
	x, err := base64.RawURLEncoding.DecodeString(k.X)
	y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
	if curve == nil || err != nil || err2 != nil {
		return nil
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...)) // checks that the point is on the curve
	if err != nil {
		return nil
	}
	return public
}
