package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"mome/dicomweb"
)

// OpenIDConfig names a provider of OpenID Connect. Issuer and Audience are needed.
type OpenIDConfig struct {
	// Issuer is the provider's URL as it stands in iss. It is https, but for a provider on the node's own machine.
	Issuer   string
	Audience string // that aud must hold: this node's name at the provider
	// Claim holds what is granted, as a list or separated by spaces; default: the first of scope, scp and roles that
	// is there.
	Claim string
	// Grants says what a value of the claim grants; default: read, write, delete and admin by their names, also after a
	// prefix that ends in ":", "/" or ".".
	Grants map[string]Scope
	Leeway time.Duration // between the clocks of node and provider; default 1 minute
	HTTP   *http.Client  // default: 10 seconds for an answer, no redirection
	Now    func() time.Time
}

// OpenID verifies JWTs (RFC 7519, RFC 9068) by the provider's published keys. It is safe for concurrent use.
type OpenID struct {
	cfg    OpenIDConfig
	keys   *keySet
	parser *jwt.Parser
}

// algorithms are those that a provider signs with by a private key. HS256 is none: with it, whoever knows the public
// key could sign (RFC 8725 section 2.1).
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// NewOpenID checks cfg. It does not ask the provider: the node starts without it.
func NewOpenID(cfg OpenIDConfig) (*OpenID, error) {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && Loopback(u.Hostname())) {
		return nil, fmt.Errorf("access: the issuer is %q: https://host[:port][/path] is expected", cfg.Issuer)
	}
	if cfg.Audience == "" {
		return nil, errors.New("access: an issuer needs an audience too: without it, tokens for any other application of the provider would be taken")
	}
	if cfg.Leeway == 0 {
		cfg.Leeway = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &OpenID{cfg: cfg, keys: newKeySet(cfg.Issuer, cfg.HTTP, cfg.Now), parser: jwt.NewParser(
		jwt.WithValidMethods(algorithms), jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(cfg.Audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(cfg.Leeway), jwt.WithTimeFunc(cfg.Now),
	)}, nil
}

// Loopback reports whether host, without a port, is this machine alone.
func Loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// verify returns who the token speaks for.
func (o *OpenID) verify(ctx context.Context, token string) (Peer, error) {
	claims := jwt.MapClaims{}
	_, err := o.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		if _, extended := t.Header["crit"]; extended {
			return nil, errExtended
		}
		kid, _ := t.Header["kid"].(string)
		return o.keys.find(ctx, kid, t.Method.Alg())
	})
	switch {
	case err == nil:
	case dicomweb.KindOf(err) == dicomweb.Unavailable:
		return Peer{}, dicomweb.Errorf(dicomweb.Unavailable, "the token cannot be checked: its provider does not answer")
	default:
		return Peer{}, &dicomweb.Error{Kind: dicomweb.Unauthorized, Text: "the token is not valid: " + complaint(err), Err: errInvalid}
	}
	subject, _ := claims.GetSubject()
	if subject == "" {
		subject, _ = claims["client_id"].(string)
	}
	if subject == "" {
		return Peer{}, unauthorized("the token is not valid: it names no subject")
	}
	return Peer{Name: subject, Scopes: o.granted(claims)}, nil
}

var (
	errInvalid  = errors.New("access: JWT refused")          // stands for the parser's error, whose text may quote the token
	errExtended = errors.New("access: a critical extension") // RFC 7515 section 4.1.11: none is known here
)

// complaint says what is wrong with a token.
func complaint(err error) string {
	for _, c := range []struct {
		err  error
		text string
	}{
		{jwt.ErrTokenExpired, "it has expired"},
		{jwt.ErrTokenNotValidYet, "it is not valid yet; compare the clocks of node and provider"},
		{jwt.ErrTokenInvalidAudience, "it is for another audience"},
		{jwt.ErrTokenInvalidIssuer, "it is of another issuer"},
		{jwt.ErrTokenRequiredClaimMissing, "exp, iss or aud is missing"},
		{jwt.ErrTokenMalformed, "it is malformed"},
		{errNoKey, "the provider publishes no key for it"},
		{errExtended, "it is to be read by extensions that this node does not know"},
	} {
		if errors.Is(err, c.err) {
			return c.text
		}
	}
	return "its signature or algorithm does not hold"
}

// granted returns the scopes that the claim grants.
func (o *OpenID) granted(claims jwt.MapClaims) (s Scope) {
	for _, value := range o.values(claims) {
		if o.cfg.Grants != nil {
			s |= o.cfg.Grants[value]
			continue
		}
		one, _ := scopeOf(value[strings.LastIndexAny(value, ":/.")+1:])
		if one != All { // nothing grants everything unless a setting says so
			s |= one
		}
	}
	return s
}

func (o *OpenID) values(claims jwt.MapClaims) []string {
	names := []string{"scope", "scp", "roles"}
	if o.cfg.Claim != "" {
		names = []string{o.cfg.Claim}
	}
	for _, name := range names {
		switch v := claims[name].(type) {
		case string:
			return strings.Fields(v)
		case []any:
			var out []string
			for _, one := range v {
				if text, ok := one.(string); ok {
					out = append(out, text)
				}
			}
			return out
		}
	}
	return nil
}
