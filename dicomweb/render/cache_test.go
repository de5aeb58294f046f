package render

import (
	"strconv"
	"sync"
	"testing"
)

func TestCache(t *testing.T) {
	c := cache[int]{limit: 100}
	for i := range 5 {
		c.put(strconv.Itoa(i), i, 25)
		if i == 3 {
			c.get("0") // used again, so 1 is the oldest
		}
	}
	c.put("large", 9, 26)
	for key, want := range map[string]bool{"0": true, "1": false, "2": true, "3": true, "4": true, "large": false} {
		v, ok := c.get(key)
		if ok != want || ok && strconv.Itoa(v) != key {
			t.Errorf("%s: %d, %t, want %t", key, v, ok, want)
		}
	}
	if c.total != 100 || c.order.Len() != 4 || len(c.byKey) != 4 {
		t.Errorf("%d bytes in %d of %d entries, want 100 in 4", c.total, c.order.Len(), len(c.byKey))
	}
}

func TestCacheFromManySides(t *testing.T) {
	c := cache[int]{limit: 50}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 500 {
				key := strconv.Itoa((i * (w + 1)) % 17)
				c.put(key, i, 3)
				c.get(key)
			}
		})
	}
	all.Wait()
	if c.total > 50 || c.total != int64(3*c.order.Len()) {
		t.Errorf("%d bytes in %d entries", c.total, c.order.Len())
	}
}
