package access

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
)

// Secrets are the peers that a file and the command line name. The file is read again when it changes; one that cannot
// be read then leaves those in force that were.
//
// Each line of the file is NAME SCOPES SECRET; blank lines and those that begin with # are passed over. SCOPES are as
// ParseScope reads them. SECRET is one of
//
//	sha256:HEX          the SHA-256 of a token in hexadecimal, so that the file holds no token
//	certificate:NAME    the common name or a DNS name of a TLS client certificate
//	TOKEN               the token itself, at least 16 characters
//
// The hash has no salt and is fast: it protects tokens that are long and random, as NewToken makes them, and no
// passwords that people think of.
type Secrets struct {
	fixed []secret
	file  *watched[[]secret] // nil: none
}

type secret struct {
	peer        Peer
	hash        [sha256.Size]byte
	certificate string // a name instead of a hash
}

// SecretsConfig tells where the secrets are.
type SecretsConfig struct {
	File string   // "" for none
	List []string // NAME:SCOPES:SECRET
	Now  func() time.Time
	Log  *slog.Logger
}

// minToken is the length from which a token is taken, in characters: 16 of base64 hold 96 bits.
const minToken = 16

// maxSecrets bounds the file's lines, maxFile its bytes: each request is compared with every line.
const (
	maxSecrets = 10_000
	maxFile    = 4 << 20
)

// NewSecrets reads the file and the list. Neither may be without any peer, since nobody could get in.
func NewSecrets(cfg SecretsConfig) (*Secrets, error) {
	s := &Secrets{}
	for _, text := range cfg.List {
		fields := strings.SplitN(text, ":", 3)
		if len(fields) != 3 {
			return nil, fmt.Errorf("access: a token is given as NAME:SCOPES:TOKEN")
		}
		one, err := parseSecret(fields[0], fields[1], fields[2])
		if err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
		s.fixed = append(s.fixed, one)
	}
	if cfg.File != "" {
		var err error
		if s.file, err = watch([]string{cfg.File}, func() ([]secret, error) { return readSecrets(cfg.File) }, cfg.Now, cfg.Log); err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
	}
	if len(s.all()) == 0 {
		return nil, fmt.Errorf("access: no token is given, so nobody could get in: server token makes one")
	}
	return s, nil
}

func readSecrets(name string) ([]secret, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	list, err := parseSecrets(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// parseSecrets reads the lines of a file. Errors name the line and never show it.
func parseSecrets(b []byte) (list []secret, err error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: NAME SCOPES SECRET expected", n)
		}
		one, err := parseSecret(fields[0], fields[1], fields[2])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if list = append(list, one); len(list) > maxSecrets {
			return nil, fmt.Errorf("more than %d lines", maxSecrets)
		}
	}
	return list, lines.Err()
}

func parseSecret(name, scopes, text string) (s secret, err error) {
	if err := CheckName(name); err != nil {
		return s, err
	}
	s.peer.Name = name
	if s.peer.Scopes, err = ParseScope(scopes); err != nil {
		return s, err
	}
	if hexadecimal, ok := strings.CutPrefix(text, "sha256:"); ok {
		b, err := hex.DecodeString(hexadecimal)
		if err != nil || len(b) != sha256.Size {
			return s, fmt.Errorf("sha256: is followed by %d hexadecimal digits", 2*sha256.Size)
		}
		copy(s.hash[:], b)
		return s, nil
	}
	if name, ok := strings.CutPrefix(text, "certificate:"); ok {
		if s.certificate = name; name == "" {
			return s, fmt.Errorf("certificate: is followed by the certificate's common name or a DNS name")
		}
		return s, nil
	}
	if len(text) < minToken {
		return s, fmt.Errorf("the token of %s is shorter than %d characters: server token makes a good one", name, minToken)
	}
	s.hash = sha256.Sum256([]byte(text))
	return s, nil
}

// CheckName returns an error unless name can stand in the file, in a user name of HTTP Basic and in the audit trail.
func CheckName(name string) error {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == '#' || r > '~' }) {
		return fmt.Errorf("a token's name is 1 to 64 ASCII characters without spaces, colons and #")
	}
	return nil
}

func (s *Secrets) all() []secret {
	if s.file == nil {
		return s.fixed
	}
	return slices.Concat(s.fixed, s.file.get())
}

// find returns the peer with this token. It compares with all of them in constant time, so that the time taken tells
// nothing of how near a guess was.
func (s *Secrets) find(token string) (p Peer, ok bool) {
	hash := sha256.Sum256([]byte(token))
	for _, one := range s.all() {
		if subtle.ConstantTimeCompare(hash[:], one.hash[:]) == 1 && one.certificate == "" {
			p, ok = one.peer, true
		}
	}
	return p, ok
}

// certificate returns the peer whose line names the certificate.
func (s *Secrets) certificate(c *x509.Certificate) (Peer, bool) {
	for _, one := range s.all() {
		if one.certificate != "" && (one.certificate == c.Subject.CommonName || slices.Contains(c.DNSNames, one.certificate)) {
			return one.peer, true
		}
	}
	return Peer{}, false
}

// NewToken returns a token of 256 random bits and the line of the file that lets it in.
func NewToken(name string, scopes Scope) (token, line string, err error) {
	if err := CheckName(name); err != nil {
		return "", "", err
	}
	var b [32]byte
	rand.Read(b[:]) // never fails
	token = base64.RawURLEncoding.EncodeToString(b[:])
	hash := sha256.Sum256([]byte(token))
	return token, fmt.Sprintf("%s %s sha256:%x", name, scopes, hash), nil
}
