package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// TLSConfig tells where the node's certificate is.
type TLSConfig struct {
	Cert, Key string // PEM files; Cert may hold the chain
	// ClientCA is a PEM file of the authorities whose client certificates are taken, "" for none. A client needs no
	// certificate then, but one that it shows must be valid; what it may do is what Secrets say.
	ClientCA string
	Now      func() time.Time
	Log      *slog.Logger
}

// NewTLS returns a configuration of at least TLS 1.2 with HTTP/2 whose files are read again when they change, so that a
// renewed certificate needs no restart; a file that is broken then leaves the certificate in use that was.
func NewTLS(cfg TLSConfig) (*tls.Config, error) {
	if cfg.Cert == "" || cfg.Key == "" {
		return nil, errors.New("access: TLS needs both a certificate and its key")
	}
	paths := []string{cfg.Cert, cfg.Key}
	if cfg.ClientCA != "" {
		paths = append(paths, cfg.ClientCA)
	}
	current, err := watch(paths, func() (*tls.Config, error) { return readTLS(cfg) }, cfg.Now, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	outer := current.get().Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.get(), nil }
	return outer, nil
}

func readTLS(cfg TLSConfig) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("read the TLS certificate %s: %w", cfg.Cert, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if cfg.ClientCA != "" {
		b, err := os.ReadFile(cfg.ClientCA)
		if err != nil {
			return nil, err
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !c.ClientCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", cfg.ClientCA)
		}
	}
	return c, nil
}
