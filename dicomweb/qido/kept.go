package qido

import (
	"net/http"
	"strconv"
	"sync"
)

// answer is an answer to a search.
type answer struct {
	body        []byte // none when nothing matches
	contentType string
	warnings    []string
}

// send answers with 200, or 204 when nothing matches (PS3.18 table 10.6.3-1).
func (a *answer) send(w http.ResponseWriter, base string) error {
	for _, text := range a.warnings {
		w.Header().Add("Warning", "299 "+base+" "+strconv.Quote(text))
	}
	if len(a.body) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(a.body)
	return err
}

// What is kept of answers, in bytes: of one, and of all.
const (
	keptOne = 1 << 20
	keptAll = 16 << 20
)

// kept are the answers since the archive changed last. Every worklist on every screen asks the same again and again, and
// viewers ask twice when they open a study. Its zero value is ready for use.
type kept struct {
	mu      sync.Mutex
	changes int64 // that they were found after
	answers map[string]*answer
	size    int
}

// get returns the answer to a question that was found after as many changes as there are now.
func (k *kept) get(question string, changes int64) *answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes != changes {
		return nil
	}
	return k.answers[question]
}

// put keeps an answer; the oldest state of the archive goes, and when too much is kept all of it.
func (k *kept) put(question string, changes int64, a *answer) {
	size := len(question) + len(a.body)
	if size > keptOne {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if changes < k.changes {
		return
	}
	if changes > k.changes || k.answers == nil || k.size+size > keptAll {
		k.changes, k.answers, k.size = changes, map[string]*answer{}, 0
	}
	if k.answers[question] == nil {
		k.size += size
	}
	k.answers[question] = a
}
