//go:build !amd64

package kernel

// everySecond is the unroller for taps that take every second number: there is no better one for this architecture
// than that for any stride.
func everySecond() *unroller { return nil }
