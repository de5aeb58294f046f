package render

import (
	"container/list"
	"sync"
)

// cache keeps what was used last, by weight. It is safe for concurrent use; what it gives must not be changed.
type cache[V any] struct {
	limit int64 // of all weights together, in bytes

	mu    sync.Mutex
	total int64
	byKey map[string]*list.Element // of *cached[V]
	order list.List                // the one used last first
}

type cached[V any] struct {
	key    string
	value  V
	weight int64
}

func (c *cache[V]) get(key string) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[V]).value, true
}

// put keeps value unless it would take more than a quarter of all.
func (c *cache[V]) put(key string, value V, weight int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil {
		c.byKey = map[string]*list.Element{}
	}
	if weight > c.limit/4 || c.byKey[key] != nil {
		return
	}
	c.byKey[key] = c.order.PushFront(&cached[V]{key, value, weight})
	for c.total += weight; c.total > c.limit; {
		oldest := c.order.Remove(c.order.Back()).(*cached[V])
		delete(c.byKey, oldest.key)
		c.total -= oldest.weight
	}
}
