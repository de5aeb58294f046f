package access

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"testing"
)

// TestKeysThatAreLeftOut reads sets of one key that must not be used.
func TestKeysThatAreLeftOut(t *testing.T) {
	short := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xAB}, 128))
	zeros := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, k := range map[string]string{
		"RSA of 1024 bits":      fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, short),
		"RSA without exponent":  fmt.Sprintf(`{"kty":"RSA","n":%q}`, short),
		"point off the curve":   fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, zeros, zeros),
		"point of wrong length": `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`,
		"unknown curve":         fmt.Sprintf(`{"kty":"EC","crv":"secp256k1","x":%q,"y":%q}`, zeros, zeros),
		"Ed25519 too short":     `{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`,
		"X25519":                fmt.Sprintf(`{"kty":"OKP","crv":"X25519","x":%q}`, zeros),
		"for encryption":        fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","use":"enc","x":%q}`, zeros),
		"symmetric":             `{"kty":"oct","k":"AAAA"}`,
		"no object":             `7`,
	} {
		if keys, err := parseKeys([]byte(`{"keys":[` + k + `]}`)); err == nil {
			t.Errorf("%s: taken as %v", name, keys)
		}
		good := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"good","x":%q}`, zeros)
		if keys, err := parseKeys([]byte(`{"keys":[` + k + `,` + good + `]}`)); err != nil || len(keys) != 1 {
			t.Errorf("%s beside a good key: %v, %v; want the good one", name, keys, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, seed := range []string{`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, `{"keys":7}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseKeys(b)
		if err == nil && len(keys) == 0 {
			t.Error("no error and no key")
		}
		for _, k := range keys {
			if k.public == nil {
				t.Error("a key without its value")
			}
		}
	})
}
