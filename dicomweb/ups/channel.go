package ups

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"mome/dicomweb"
)

// channels are the connections that listen. A connection has a place in its subscriber's events, which lie in the
// database: nothing is held in memory for one that is slow, and nothing waits for it.
type channels struct {
	most int

	mu      sync.Mutex
	open    map[string][]*channel // by AE title
	n       int
	ending  chan struct{} // closed when no more events are to come
	closed  bool
	running sync.WaitGroup
}

type channel struct {
	ae   string
	news chan struct{} // there are events behind the place
	sent int64         // the last event that was sent
}

func newChannels(most int) *channels {
	return &channels{most: most, open: map[string][]*channel{}, ending: make(chan struct{})}
}

func (c *channels) add(ae string) (*channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, dicomweb.Errorf(dicomweb.Unavailable, "the node ends")
	}
	if c.n >= c.most {
		return nil, dicomweb.Errorf(dicomweb.Unavailable, "%d connections listen for events already, and no more can", c.n)
	}
	ch := &channel{ae: ae, news: make(chan struct{}, 1)}
	c.open[ae] = append(c.open[ae], ch)
	c.n++
	c.running.Add(1)
	return ch, nil
}

func (c *channels) remove(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.open[ch.ae][:0:0]
	for _, o := range c.open[ch.ae] {
		if o != ch {
			left = append(left, o)
		}
	}
	if c.open[ch.ae] = left; len(left) == 0 {
		delete(c.open, ch.ae)
	}
	c.n--
	c.running.Done()
}

func (c *channels) listening(ae string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open[ae]) > 0
}

// wake tells connections of news.
func (c *channels) wake(aes map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ae := range aes {
		for _, ch := range c.open[ae] {
			select {
			case ch.news <- struct{}{}:
			default:
			}
		}
	}
}

// advance notes that ch sent the event and returns the last one that all connections of the AE title sent.
func (c *channels) advance(ch *channel, id int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.sent = id
	for _, o := range c.open[ch.ae] {
		id = min(id, o.sent)
	}
	return id
}

// close ends all connections and waits for that.
func (c *channels) close(ctx context.Context) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.ending)
	}
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() { c.running.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ErrEnding is returned by Listen when the node ends.
var ErrEnding = errors.New("ups: the node ends")

// batch is how many events are read at once, fewer where they have batchBytes before.
const (
	batch      = 64
	batchBytes = 1 << 20
)

// Listen sends an AE title its events in their order, those first that were kept while it did not listen, until ctx ends,
// send fails or the worklist is closed, and returns why. What was sent is forgotten; what was not is kept for the next time:
// an event may come twice after a crash, and none is lost but the oldest where there are more than Config.Events. Several may
// listen under one title, each has all that comes.
func (w *Worklist) Listen(ctx context.Context, ae string, send func(body []byte) error) error {
	if !validAE(ae) {
		return errAE()
	}
	ch, err := w.channels.add(ae)
	if err != nil {
		return err
	}
	defer w.channels.remove(ch)
	for ending := false; ; {
		more, err := w.deliver(ctx, ch, send)
		switch {
		case err != nil:
			return err
		case more:
			continue
		case ending:
			return ErrEnding
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ch.news:
		case <-w.channels.ending:
			ending = true
		}
	}
}

// deliver sends the next events of a connection and returns whether there may be more.
func (w *Worklist) deliver(ctx context.Context, ch *channel, send func([]byte) error) (more bool, err error) {
	type event struct {
		id   int64
		body []byte
	}
	var events []event
	size := 0
	if err := w.cfg.Database.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, body FROM ups_event WHERE ae = ? AND id > ? ORDER BY id LIMIT ?`, ch.ae, ch.sent, batch)
		if err != nil {
			return err
		}
		defer rows.Close()
		for size < batchBytes && rows.Next() {
			var e event
			if err := rows.Scan(&e.id, &e.body); err != nil {
				return err
			}
			events = append(events, e)
			size += len(e.body)
		}
		return rows.Err()
	}); err != nil {
		return false, err
	}
	more = len(events) == batch || size >= batchBytes
	all := int64(0) // up to here everybody has them
	for _, e := range events {
		if err = send(e.body); err != nil {
			break
		}
		all = w.channels.advance(ch, e.id)
	}
	if all == 0 {
		return more, err
	}
	return more, errors.Join(err, w.cfg.Database.Update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
		_, err := tx.Exec(`DELETE FROM ups_event WHERE ae = ? AND id <= ?`, ch.ae, all)
		return err
	}))
}
