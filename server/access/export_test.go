package access

// Remembered is how many peers l holds in memory.
func Remembered(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.peers)
}
