package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// progressLine shows how far long work is: on a terminal one line that is rewritten, elsewhere a line per stage.
type progressLine struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	stage    string
	open     bool // the terminal's line is not ended yet
}

func newProgressLine(f *os.File) *progressLine {
	info, err := f.Stat()
	return &progressLine{w: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// show tells the stage, how much of it or of the whole is done (0..1), and a detail.
func (p *progressLine) show(stage string, fraction float64, detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.terminal {
		if stage != p.stage {
			fmt.Fprintf(p.w, "  %s ...\n", stage)
		}
		p.stage = stage
		return
	}
	const width = 24
	full := min(max(int(fraction*width+0.5), 0), width)
	fmt.Fprintf(p.w, "\r  %-12s [%s%s] %3.0f %%  %-30s", stage, strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*fraction, detail)
	p.stage, p.open = stage, true
}

// end leaves the line.
func (p *progressLine) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		fmt.Fprintln(p.w)
	}
	p.open, p.stage = false, ""
}
