package access_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"mome/dicomweb"
	"mome/server/access"
)

func limiter(t *testing.T, cfg access.LimiterConfig) *access.Limiter {
	t.Helper()
	l, err := access.NewLimiter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRate(t *testing.T) {
	at := newClock()
	l := limiter(t, access.LimiterConfig{PerSecond: 2, Burst: 3, Now: at.now})
	for i, c := range []struct {
		pause time.Duration
		peer  string
		after time.Duration // told; 0 for let through
	}{
		{0, "a", 0}, {0, "a", 0}, {0, "a", 0}, {0, "a", time.Second}, {0, "b", 0},
		{500 * time.Millisecond, "a", 0}, {0, "a", time.Second},
		{time.Hour, "a", 0}, {0, "a", 0}, {0, "a", 0}, {0, "a", time.Second}, // the pause fills the burst, no more
		{-time.Hour, "a", time.Second}, // a clock that is set back takes nothing and gives nothing
	} {
		at.advance(c.pause)
		done, err := l.Begin(c.peer)
		var limit *access.LimitError
		if got := errors.As(err, &limit); got != (c.after != 0) || got && limit.After != c.after {
			t.Fatalf("step %d: %v, want a pause of %s", i, err, c.after)
		}
		if err != nil && dicomweb.KindOf(err) != dicomweb.TooMany {
			t.Errorf("step %d: kind %d", i, dicomweb.KindOf(err))
		}
		if err == nil {
			done()
		}
	}
	slow := limiter(t, access.LimiterConfig{PerSecond: 0.1, Now: at.now})
	if _, err := slow.Begin("a"); err != nil {
		t.Fatal(err)
	}
	var limit *access.LimitError
	if _, err := slow.Begin("a"); !errors.As(err, &limit) || limit.After != 10*time.Second {
		t.Errorf("%v, want a pause of 10 s", err)
	}
}

func TestConcurrent(t *testing.T) {
	l := limiter(t, access.LimiterConfig{Concurrent: 2})
	one, err := l.Begin("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin("a"); dicomweb.KindOf(err) != dicomweb.TooMany {
		t.Errorf("a third: %v", err)
	}
	if _, err := l.Begin("b"); err != nil {
		t.Errorf("another peer: %v", err)
	}
	one()
	if _, err := l.Begin("a"); err != nil {
		t.Errorf("when one has ended: %v", err)
	}
}

func TestNoLimits(t *testing.T) {
	var none *access.Limiter
	for _, l := range []*access.Limiter{none, limiter(t, access.LimiterConfig{})} {
		for range 100 {
			if _, err := l.Begin("a"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestManyPeers comes from more addresses than the limiter remembers, as an IPv6 network can.
func TestManyPeers(t *testing.T) {
	at := newClock()
	l := limiter(t, access.LimiterConfig{PerSecond: 1, Burst: 1, Concurrent: 5, Now: at.now})
	if _, err := l.Begin("busy"); err != nil { // it runs all the time
		t.Fatal(err)
	}
	for i := range 50_000 {
		done, err := l.Begin(fmt.Sprint("address ", i))
		if err != nil {
			t.Fatal(err)
		}
		done()
	}
	if _, err := l.Begin("busy"); err == nil {
		t.Error("a peer whose request runs was forgotten")
	}
	if n := access.Remembered(l); n > 10_001 {
		t.Errorf("%d peers are remembered", n)
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		name, remote string
		trust        bool
		header       [][2]string
		want         string
	}{
		{"direct", "192.0.2.1:4711", false, nil, "192.0.2.1"},
		{"IPv6", "[2001:db8::1]:4711", false, nil, "2001:db8::1"},
		{"header that is not trusted", "192.0.2.1:4711", false, [][2]string{{"X-Forwarded-For", "198.51.100.7"}}, "192.0.2.1"},
		{"trusted", "192.0.2.1:4711", true, [][2]string{{"X-Forwarded-For", "198.51.100.7"}}, "198.51.100.7"},
		{"the client wrote one itself", "192.0.2.1:4711", true, [][2]string{{"X-Forwarded-For", "10.0.0.1, 198.51.100.7"}}, "198.51.100.7"},
		{"two headers", "192.0.2.1:4711", true, [][2]string{{"X-Forwarded-For", "10.0.0.1"}, {"X-Forwarded-For", "198.51.100.7"}}, "198.51.100.7"},
		{"RFC 7239", "192.0.2.1:4711", true, [][2]string{{"Forwarded", `for=10.0.0.1, for="[2001:db8::7]:4711";proto=https`}}, "2001:db8::7"},
		{"nonsense", "192.0.2.1:4711", true, [][2]string{{"X-Forwarded-For", "_hidden\n"}}, "192.0.2.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		for _, h := range c.header {
			r.Header.Add(h[0], h[1])
		}
		if got := access.Address(r, c.trust); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestLimiterConfigIsChecked(t *testing.T) {
	for _, c := range []access.LimiterConfig{{PerSecond: -1}, {Burst: -1}, {Concurrent: -1}} {
		if _, err := access.NewLimiter(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
