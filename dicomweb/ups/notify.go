package ups

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"mome/dicomweb"
)

// Subscribe answers POST /workitems/{workitem}/subscribers/{aetitle}?deletionlock&filter (PS3.18 11.10).
func (s *Service) Subscribe(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	lock, filter, err := subscription(r.URL.RawQuery)
	if err != nil {
		return err
	}
	ae := r.PathValue("aetitle")
	if err := c.Worklist.Subscribe(r.Context(), c.id, ae, lock, filter); err != nil {
		return err
	}
	w.Header().Set("Content-Location", "ws"+strings.TrimPrefix(c.base, "http")+"/subscribers/"+url.PathEscape(ae))
	return c.done(http.StatusCreated)
}

// subscription reads the query string of a subscription: the lock, and the filter as a query string of its own. Filter is a
// comma-separated list of attribute=value, where a comma that no attribute follows is part of the value; parameters that are
// attributes themselves are filters too, as editions before 2019b had it.
func subscription(raw string) (lock bool, filter string, err error) {
	var keys []string
	for field := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(field, "=")
		text, err := url.QueryUnescape(value)
		if err != nil {
			return false, "", dicomweb.Errorf(dicomweb.BadRequest, "the query string is not percent-encoded as it should be")
		}
		switch name {
		case "", "accept", "charset":
		case "deletionlock":
			switch text {
			case "true":
				lock = true
			case "false":
			default:
				return false, "", dicomweb.Errorf(dicomweb.BadRequest, "deletionlock is true or false")
			}
		case "filter":
			keys = append(keys, filterKeys(text)...)
		default:
			keys = append(keys, field)
		}
	}
	return lock, strings.Join(keys, "&"), nil
}

// filterKeys splits the value of filter into the fields of a query string.
func filterKeys(text string) (keys []string) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok && len(keys) > 0 {
			keys[len(keys)-1] += url.QueryEscape("," + part)
			continue
		}
		keys = append(keys, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return keys
}

// Unsubscribe answers DELETE /workitems/{workitem}/subscribers/{aetitle} (11.11).
func (s *Service) Unsubscribe(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	if err := c.Worklist.Unsubscribe(r.Context(), c.id, r.PathValue("aetitle")); err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

// Suspend answers POST /workitems/{workitem}/subscribers/{aetitle}/suspend (11.12).
func (s *Service) Suspend(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	if err := c.Worklist.Suspend(r.Context(), c.id, r.PathValue("aetitle")); err != nil {
		return err
	}
	return c.done(http.StatusOK)
}

// Listen answers GET /subscribers/{aetitle}, the WebSocket over which events come (8.10.4 and 8.10.5). A subscriber that
// does not take an event within ServiceConfig.Stall is cut off; its events are kept for when it comes again.
func (s *Service) Listen(w http.ResponseWriter, r *http.Request, _ dicomweb.Ref) error {
	c, err := s.begin(w, r)
	if err != nil {
		return err
	}
	ae := r.PathValue("aetitle")
	if !validAE(ae) {
		return errAE()
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: slices.Contains(s.cfg.Origins, "*"), OriginPatterns: s.cfg.Origins,
	})
	if err != nil {
		return nil // Accept answered
	}
	defer conn.CloseNow()
	// The request is over when the connection is taken over: what comes by it, a close alone, ends ctx.
	ctx, cancel := context.WithCancel(conn.CloseRead(context.WithoutCancel(r.Context())))
	var pinging sync.WaitGroup
	pinging.Go(func() { s.ping(ctx, cancel, conn) })
	defer pinging.Wait()
	defer cancel()
	var unsent error
	err = c.Worklist.Listen(ctx, ae, func(body []byte) error {
		one, cancel := context.WithTimeout(ctx, s.cfg.Stall)
		defer cancel()
		unsent = conn.Write(one, websocket.MessageText, body)
		return unsent
	})
	switch {
	case errors.Is(err, ErrEnding):
		conn.Close(websocket.StatusGoingAway, "the node ends")
	case dicomweb.KindOf(err) == dicomweb.Unavailable:
		conn.Close(websocket.StatusTryAgainLater, "too many connections")
	case ctx.Err() == nil:
		if unsent == nil { // else the other side took nothing
			c.cfg.Log.Error("events could not be delivered", "ae", ae, "err", err)
		}
		conn.Close(websocket.StatusInternalError, "")
	}
	return nil
}

// ping ends a connection whose other side is gone without a word, and keeps proxies from taking it for idle.
func (s *Service) ping(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn) {
	ticker := time.NewTicker(s.cfg.Ping)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		one, done := context.WithTimeout(ctx, s.cfg.Stall)
		err := conn.Ping(one)
		done()
		if err != nil {
			cancel()
			return
		}
	}
}
