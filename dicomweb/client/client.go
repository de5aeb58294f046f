// Package client is a DICOMweb client (PS3.18 sections 10.4 to 10.6): it pushes instances to a node or PACS by STOW-RS,
// searches by QIDO-RS and retrieves by WADO-RS. Instances travel as streams and as they are; nothing is converted. What
// fails for a reason that passes is tried again.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mome/dicomweb/mediatype"
)

// Config tells where to and how. URL alone is enough.
type Config struct {
	URL      string       // root of the services, e.g. "http://pacs:8042/dicom-web"
	HTTP     *http.Client // default: http.DefaultClient's transport, no limit in time
	Header   http.Header  // of every request, such as Authorization
	Parallel int          // uploads at once; default 4
	Attempts int          // tries of one request; default 5
	// Backoff is the pause after attempt n, from 1 on, where the server names none; default 1 s, doubled each time, at
	// most 30 s.
	Backoff func(n int) time.Duration
	// Sleep waits; default: with a timer. It returns the error of ctx when that ends first.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client talks to one server. It is safe for concurrent use.
type Client struct {
	cfg  Config
	root string
}

// New checks cfg.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("client: Config.URL is %q: http(s)://host[:port]/path is expected", cfg.URL)
	}
	if cfg.Parallel < 0 || cfg.Attempts < 0 {
		return nil, fmt.Errorf("client: Config.Parallel %d or Config.Attempts %d is negative", cfg.Parallel, cfg.Attempts)
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{}
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 4
	}
	if cfg.Attempts == 0 {
		cfg.Attempts = 5
	}
	if cfg.Backoff == nil {
		cfg.Backoff = func(n int) time.Duration { return min(time.Second<<min(n-1, 10), 30*time.Second) }
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	return &Client{cfg: cfg, root: strings.TrimRight(cfg.URL, "/")}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StatusError is an answer that is no success.
type StatusError struct {
	Method, Resource string // the resource without the query
	Status           int
	Detail           string // what the server says, at most 500 characters
	retryAfter       time.Duration
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s %s: %d %s", e.Method, e.Resource, e.Status, http.StatusText(e.Status))
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Temporary reports whether trying again later can help.
func (e *StatusError) Temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retry runs attempt until it succeeds, fails for good, or has been tried often enough.
func (c *Client) retry(ctx context.Context, attempt func() error) error {
	for n := 1; ; n++ {
		err := attempt()
		pause, again := c.again(ctx, err, n)
		if !again {
			return err
		}
		if sleepErr := c.cfg.Sleep(ctx, pause); sleepErr != nil {
			return errors.Join(err, sleepErr)
		}
	}
}

// longestPause bounds what a server's Retry-After is followed to.
const longestPause = 2 * time.Minute

func (c *Client) again(ctx context.Context, err error, n int) (time.Duration, bool) {
	if err == nil || ctx.Err() != nil || n >= c.cfg.Attempts {
		return 0, false
	}
	var status *StatusError
	if errors.As(err, &status) {
		return max(c.cfg.Backoff(n), min(status.retryAfter, longestPause)), status.Temporary()
	}
	var transport *url.Error // no connection, or one that broke
	return c.cfg.Backoff(n), errors.As(err, &transport)
}

// request makes a request for a resource below the root.
func (c *Client) request(ctx context.Context, method, resource, rawQuery string, body io.Reader) (*http.Request, error) {
	target := c.root + "/" + resource
	if rawQuery != "" {
		target += "?" + rawQuery
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	for name, values := range c.cfg.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// get sends a GET and returns the answer if its status is one of success. The caller closes its body.
func (c *Client) get(ctx context.Context, resource, rawQuery, accept string) (resp *http.Response, err error) {
	err = c.retry(ctx, func() error {
		req, err := c.request(ctx, http.MethodGet, resource, rawQuery, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", accept)
		if resp, err = c.cfg.HTTP.Do(req); err != nil {
			return err
		}
		if resp.StatusCode/100 != 2 {
			defer resp.Body.Close()
			return statusError(resp, resource)
		}
		return nil
	})
	return resp, err
}

// statusError reads what an answer says of its failure.
func statusError(resp *http.Response, resource string) *StatusError {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // as much as there is
	return newStatusError(resp, resource, body)
}

func newStatusError(resp *http.Response, resource string, body []byte) *StatusError {
	e := &StatusError{Method: resp.Request.Method, Resource: resource, Status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.retryAfter = time.Duration(min(s, 3600)) * time.Second
	}
	t, _ := mediatype.Parse(resp.Header.Get("Content-Type")) // a type that cannot be read is none
	switch {
	case t.Name == mediatype.ProblemJSON || t.Name == mediatype.JSON:
		var p struct{ Detail, Message string }
		if json.Unmarshal(body, &p) == nil {
			e.Detail = p.Detail + p.Message
		}
	case t.Name == "text/plain":
		e.Detail = string(body)
	}
	e.Detail = strings.Join(strings.Fields(e.Detail), " ")
	e.Detail = e.Detail[:min(len(e.Detail), 500)]
	return e
}
