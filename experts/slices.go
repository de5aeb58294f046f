package experts

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// EachSlice calls do for k = 0 .. n-1, on as many goroutines as there are processors, and waits for all of them. The
// order is not defined, so do must write to what belongs to slice k alone. It looks at ctx before every slice and
// returns ctx.Err() if it was cancelled. A panic in do is returned as an error: one bad study must not end the process.
func EachSlice(ctx context.Context, n int, do func(k int)) error {
	workers := min(runtime.GOMAXPROCS(0), n)
	group, groupCtx := errgroup.WithContext(ctx)
	for w := range workers {
		group.Go(func() (err error) {
			at := w
			defer func() {
				if cause := recover(); cause != nil {
					err = fmt.Errorf("slice %d: %v", at, cause)
				}
			}()
			for ; at < n; at += workers {
				if groupCtx.Err() != nil {
					return ctx.Err() // nil where another slice failed: its error is the one that counts
				}
				do(at)
			}
			return nil
		})
	}
	return group.Wait()
}
