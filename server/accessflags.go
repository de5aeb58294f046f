package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"mome/server/access"
	"mome/server/web"
)

// accessFlags say who may do what at a node, how much, and over which wire. Without any of them everyone who reaches the
// node may do everything, so that it then listens on loopback alone.
type accessFlags struct {
	AccessFile  string   `type:"path" placeholder:"FILE" help:"Tokens that are let in, a line each: NAME SCOPES SECRET; server token makes them. Read again when it changes."`
	AccessToken []string `sep:" " placeholder:"NAME:SCOPES:TOKEN" help:"A token that is let in, with scopes of read, write, delete, admin; may be repeated. Better given as MOME_ACCESS_TOKEN, separated by spaces."`
	Basic       bool     `default:"true" negatable:"" help:"Take HTTP Basic too, for browsers and older PACS: user is the token's name, password the token."`

	OIDCIssuer   string            `name:"oidc-issuer" placeholder:"URL" help:"OpenID provider whose JWTs are let in, by its published keys. For browsers a proxy that signs in passes its token on as Authorization."`
	OIDCAudience string            `name:"oidc-audience" placeholder:"TEXT" help:"Audience that they must name."`
	OIDCClaim    string            `name:"oidc-claim" placeholder:"NAME" help:"Claim that holds their scopes; default the first of scope, scp, roles."`
	OIDCGrant    map[string]string `name:"oidc-grant" placeholder:"VALUE=SCOPES" help:"What a value of the claim grants, as radiologists=read,delete; default: scopes by their names, also after a prefix. May be repeated."`

	TLSCert     string `name:"tls-cert" type:"path" placeholder:"FILE" help:"Serve HTTPS with this certificate (PEM, with its chain); read again when it changes."`
	TLSKey      string `name:"tls-key" type:"path" placeholder:"FILE" help:"Its private key (PEM)."`
	TLSClientCA string `name:"tls-client-ca" type:"path" placeholder:"FILE" help:"Take client certificates of these authorities (PEM); a line certificate:NAME of --access-file says what each may do."`

	WithoutAccessControl bool `help:"Listen beyond loopback though everyone who reaches the node may then read and store studies."`
	WithoutTLS           bool `name:"without-tls" help:"Listen beyond loopback though tokens and images then cross the network in the clear."`
	TrustForwarded       bool `help:"Believe Forwarded and X-Forwarded-* headers: scheme, host, client address. Only behind a proxy that sets them, and that no client gets around."`

	CORSOrigin []string `name:"cors-origin" placeholder:"ORIGIN" help:"Site whose pages may read the answers, as https://viewer.example; may be repeated; none for none. Default: all, without the browser's own credentials."`

	AllowDelete bool `help:"Let those with the scope delete take studies, series and instances out by DELETE."`

	Rate       float64 `placeholder:"N" help:"Requests a second that one token, or one address without, may make; default: no limit."`
	Burst      int     `placeholder:"N" help:"Requests that it may make at once after a pause; default those of 2 seconds."`
	Concurrent int     `placeholder:"N" help:"Requests that it may have running; default: no limit."`
	MaxRequest int64   `default:"65536" placeholder:"MIB" help:"Largest request that is taken, in MiB."`

	Audit string `placeholder:"FILE" help:"Append a line of JSON for each access to this file, - for standard output, in the terms of PS3.15 A.5. It may be rotated at any time."`
}

// controlled reports whether anyone is kept out.
func (f *accessFlags) controlled() bool {
	return f.AccessFile != "" || len(f.AccessToken) > 0 || f.OIDCIssuer != ""
}

// permit returns an error when the node would stand open at an address that others reach, with the flags that help.
func (f *accessFlags) permit(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("the address %q is not host:port", addr)
	}
	if access.Loopback(host) {
		return nil
	}
	var missing []string
	if !f.controlled() && !f.WithoutAccessControl {
		missing = append(missing, "has no access control (--access-file, made by server token, or --oidc-issuer; or --without-access-control)")
	}
	if f.TLSCert == "" && !f.TrustForwarded && !f.WithoutTLS {
		missing = append(missing, "speaks no TLS (--tls-cert and --tls-key, or --trust-forwarded behind a proxy that does; or --without-tls)")
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s can be reached from elsewhere, and this node %s", addr, strings.Join(missing, " and "))
	}
	return nil
}

// protect puts who is let in, limits, TLS and the audit trail into c.
func (f *accessFlags) protect(c *web.Config, log *slog.Logger) (err error) {
	if c.Access, err = f.guard(log); err != nil {
		return err
	}
	if c.Limiter, err = access.NewLimiter(access.LimiterConfig{PerSecond: f.Rate, Burst: f.Burst, Concurrent: f.Concurrent}); err != nil {
		return err
	}
	switch {
	case f.TLSCert != "" || f.TLSKey != "":
		if c.TLS, err = access.NewTLS(access.TLSConfig{Cert: f.TLSCert, Key: f.TLSKey, ClientCA: f.TLSClientCA, Log: log}); err != nil {
			return err
		}
	case f.TLSClientCA != "":
		return errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	}
	if f.Audit != "" {
		config := access.AuditConfig{Path: f.Audit, Source: "MOME", Log: log}
		if f.Audit == "-" {
			config.Path, config.Writer = "", io.Writer(os.Stdout)
		}
		if c.Audit, err = access.NewAudit(config); err != nil {
			return err
		}
	}
	return nil
}

// guard returns nil where everyone may do everything.
func (f *accessFlags) guard(log *slog.Logger) (*access.Guard, error) {
	if !f.controlled() {
		return nil, nil
	}
	config := access.Config{NoBasic: !f.Basic}
	var err error
	if f.AccessFile != "" || len(f.AccessToken) > 0 {
		if config.Secrets, err = access.NewSecrets(access.SecretsConfig{File: f.AccessFile, List: f.AccessToken, Log: log}); err != nil {
			return nil, err
		}
	}
	if f.OIDCIssuer != "" {
		var grants map[string]access.Scope
		for value, scopes := range f.OIDCGrant {
			scope, err := access.ParseScope(scopes)
			if err != nil {
				return nil, fmt.Errorf("--oidc-grant %s: %w", value, err)
			}
			if grants == nil {
				grants = map[string]access.Scope{}
			}
			grants[value] = scope
		}
		if config.OpenID, err = access.NewOpenID(access.OpenIDConfig{Issuer: f.OIDCIssuer, Audience: f.OIDCAudience, Claim: f.OIDCClaim, Grants: grants}); err != nil {
			return nil, err
		}
	}
	return access.NewGuard(config)
}

// tokenCommand makes a token.
type tokenCommand struct {
	Name   string `arg:"" help:"What the token is called in the access file and the audit trail: who or what will use it."`
	Scopes string `default:"read,write" help:"What it may do: read, write, delete, admin, separated by commas; all for all."`
	File   string `type:"path" placeholder:"FILE" help:"Access file that a line is added to; default: the line is printed."`
}

// Help is the longer text of "server token --help".
func (tokenCommand) Help() string {
	return `Makes a token of 256 random bits and prints it once. The access file gets its SHA-256 alone, so that the token cannot be had
back from it. A running node with --access-file FILE knows it within a second, and forgets it when its line is deleted.

  server token scanner-1 --scopes write --file access
  server --access-file access --tls-cert cert.pem --tls-key key.pem --addr :8443

Clients send "Authorization: Bearer TOKEN". Browsers ask for a user and a password: the name and the token.`
}

// Run makes it.
func (c *tokenCommand) Run(_ context.Context) error {
	scopes, err := access.ParseScope(c.Scopes)
	if err != nil {
		return err
	}
	token, line, err := access.NewToken(c.Name, scopes)
	if err != nil {
		return err
	}
	if c.File == "" {
		fmt.Printf("%s\nline for the access file: %s\n", token, line)
		return nil
	}
	if err := addLine(c.File, line); err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

// addLine appends a line to a file, also where the last one was left without its end.
func addLine(name, line string) (err error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = "\n" + line
	}
	_, err = fmt.Fprintln(f, line)
	return err
}
