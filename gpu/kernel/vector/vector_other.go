//go:build !amd64

package vector

// implementations are the forms that this processor can run, the fastest last.
func implementations() []implementation { return []implementation{portable()} }
