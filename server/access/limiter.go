package access

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mome/dicomweb"
)

// LimiterConfig says how much one peer may ask for; what is 0 is not limited. Its zero value limits nothing.
type LimiterConfig struct {
	PerSecond  float64 // requests, in the long run
	Burst      int     // requests at once after a pause; default: those of 2 seconds, at least 1
	Concurrent int     // requests that run at the same time
	Now        func() time.Time
}

// Limiter keeps peers from taking the node from each other. A peer is a token by its name, and an address where there
// is no valid token: guessing tokens is limited so. It is safe for concurrent use; a nil Limiter limits nothing.
type Limiter struct {
	cfg LimiterConfig

	mu    sync.Mutex
	peers map[string]*allowance
}

// allowance is a token bucket: it holds at most Burst requests and gains PerSecond.
type allowance struct {
	left    float64
	at      time.Time
	running int
}

// maxPeers bounds the memory: beyond it, those that are at rest are forgotten.
const maxPeers = 10_000

// NewLimiter checks cfg.
func NewLimiter(cfg LimiterConfig) (*Limiter, error) {
	if cfg.PerSecond < 0 || math.IsNaN(cfg.PerSecond) || cfg.Burst < 0 || cfg.Concurrent < 0 {
		return nil, fmt.Errorf("access: a limit is negative: %g requests a second, burst %d, %d at once", cfg.PerSecond, cfg.Burst, cfg.Concurrent)
	}
	if cfg.Burst == 0 {
		cfg.Burst = max(1, int(math.Min(2*cfg.PerSecond, math.MaxInt32)))
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Limiter{cfg: cfg, peers: map[string]*allowance{}}, nil
}

// Limits tells the limits in words.
func (l *Limiter) Limits() (out []string) {
	if l == nil {
		return nil
	}
	if l.cfg.PerSecond > 0 {
		out = append(out, fmt.Sprintf("%g requests a second, %d at once after a pause", l.cfg.PerSecond, l.cfg.Burst))
	}
	if l.cfg.Concurrent > 0 {
		out = append(out, fmt.Sprintf("%d requests that run", l.cfg.Concurrent))
	}
	return out
}

// LimitError is the error of a peer that asks too much.
type LimitError struct {
	After time.Duration // when trying again can succeed, rounded up to whole seconds
	Text  string
}

func (e *LimitError) Error() string { return e.Text }

// Unwrap returns an error of kind dicomweb.TooMany.
func (e *LimitError) Unwrap() error { return dicomweb.Errorf(dicomweb.TooMany, "%s", e.Text) }

// Begin counts a request of the peer, which the caller ends by calling done. Its error is a *LimitError.
func (l *Limiter) Begin(peer string) (done func(), err error) {
	if l == nil || l.cfg.PerSecond == 0 && l.cfg.Concurrent == 0 {
		return func() {}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	a := l.peers[peer]
	if a == nil {
		if len(l.peers) >= maxPeers {
			l.forget(now)
		}
		a = &allowance{left: float64(l.cfg.Burst), at: now}
		l.peers[peer] = a
	}
	if l.cfg.Concurrent > 0 && a.running >= l.cfg.Concurrent {
		return nil, &LimitError{time.Second, fmt.Sprintf("This node runs %d requests of one client at a time; try again when one has ended.", l.cfg.Concurrent)}
	}
	if l.cfg.PerSecond > 0 {
		l.refill(a, now)
		if a.left < 1 {
			wait := time.Duration((1 - a.left) / l.cfg.PerSecond * float64(time.Second))
			wait = (wait + time.Second - 1).Truncate(time.Second)
			return nil, &LimitError{wait, fmt.Sprintf("This node takes %g requests a second of one client, %d at once; try again in %s.", l.cfg.PerSecond, l.cfg.Burst, wait)}
		}
		a.left--
	}
	a.running++
	return func() {
		l.mu.Lock()
		a.running--
		l.mu.Unlock()
	}, nil
}

func (l *Limiter) refill(a *allowance, now time.Time) {
	if since := now.Sub(a.at); since > 0 {
		a.left = min(float64(l.cfg.Burst), a.left+since.Seconds()*l.cfg.PerSecond)
		a.at = now
	}
}

// forget drops peers that would start anew with the same allowance, and all that run nothing where that frees none.
func (l *Limiter) forget(now time.Time) {
	for _, full := range []bool{true, false} {
		for name, a := range l.peers {
			l.refill(a, now)
			if a.running == 0 && (!full || a.left >= float64(l.cfg.Burst)) {
				delete(l.peers, name)
			}
		}
		if len(l.peers) < maxPeers {
			return
		}
	}
}

// Address returns the address of the request's client, without the port. It is taken from Forwarded or X-Forwarded-For
// with trustForwarded: only behind a proxy that sets it.
func Address(r *http.Request, trustForwarded bool) string {
	address := r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if !trustForwarded {
		return address
	}
	// The last entry is the proxy's own; those before it are what clients wrote.
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	candidate := strings.TrimSpace(list[len(list)-1])
	if forwarded := r.Header.Values("Forwarded"); len(forwarded) > 0 {
		elements := strings.Split(strings.Join(forwarded, ","), ",")
		for pair := range strings.SplitSeq(elements[len(elements)-1], ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(name, "for") {
				candidate = strings.Trim(value, `"`)
			}
		}
	}
	if host, _, err := net.SplitHostPort(candidate); err == nil {
		candidate = host
	}
	if ip, err := netip.ParseAddr(strings.Trim(candidate, "[]")); err == nil {
		return ip.String()
	}
	return address
}
