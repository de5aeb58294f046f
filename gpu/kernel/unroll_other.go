//go:build !amd64

package kernel

// gatherSecond is gather for taps that take every second number: there is no faster form for this architecture.
func gatherSecond() gatherer { return nil }
