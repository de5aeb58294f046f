package stow

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// atOnce is how many instances of a request are made durable at the same time: while those that were read wait for the
// disk the next one is read, and they share what a flush costs.
const atOnce = 16

// storing are the instances of one request that are being stored.
type storing struct {
	free     chan struct{} // has room for each that may run
	running  sync.WaitGroup
	verdicts []*verdict // in the order of the parts
	ended    atomic.Bool
}

// begin stores an instance beside those before it. It returns when put has called taken: then the part is read.
func (g *storing) begin(put func(taken func()) verdict) {
	g.free <- struct{}{}
	v, taken := &verdict{}, make(chan struct{})
	g.verdicts = append(g.verdicts, v)
	g.running.Go(func() {
		defer func() {
			if p := recover(); p != nil { // here it would end the node: wait passes it on
				v.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
				g.ended.Store(true)
			}
			<-g.free
		}()
		*v = put(sync.OnceFunc(func() { close(taken) }))
		if v.broken != nil || v.full {
			g.ended.Store(true)
		}
	})
	<-taken
}

// wait notes in rep what became of all. It panics if storing one of them did.
func (g *storing) wait(rep *report) {
	g.running.Wait()
	for _, v := range g.verdicts {
		if v.panicked != "" {
			panic(v.panicked)
		}
		rep.take(*v)
	}
}
