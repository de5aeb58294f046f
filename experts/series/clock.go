package series

import (
	"math"
	"strconv"
	"strings"
	"time"

	"mome/dicomweb/dicom/tag"
)

// clock is an attribute that can tell when an image was acquired.
type clock int

// Clocks.
const (
	frameClock       clock = iota // Frame Acquisition DateTime, enhanced objects
	contentClock                  // Content Time
	triggerClock                  // Trigger Time: ms since some start, which is the series' own
	philipsClock                  // Philips' Dynamic Scan Begin Time: s since the dynamic series began
	acquisitionClock              // Acquisition Time
	numClocks
)

var clockNames = [numClocks]string{"Frame Acquisition DateTime", "Content Time", "Trigger Time", "Dynamic Scan Begin Time", "Acquisition Time"}

// clocks are s: since some midnight for clocks that tell the time of day, else since the series' own start; NaN if
// absent.
type clocks [numClocks]float64

func (c clock) relative() bool { return c == triggerClock || c == philipsClock }

func clocksOf(g groups) clocks {
	h := g.header
	ms := g.float(0, tag.TriggerTime)
	c := clocks{
		frameClock:       dateTimeS(g.in(tag.FrameContentSequence, tag.FrameAcquisitionDateTime).String(tag.FrameAcquisitionDateTime)),
		contentClock:     dayTimeS(h.String(tag.ContentDate), h.String(tag.ContentTime)),
		triggerClock:     ms / 1000,
		philipsClock:     privateFloat(h, "Philips MR Imaging DD 001", 0x2005, 0xA0, "FL"),
		acquisitionClock: dayTimeS(h.String(tag.AcquisitionDate), h.String(tag.AcquisitionTime)),
	}
	if math.IsNaN(c[acquisitionClock]) {
		c[acquisitionClock] = dateTimeS(h.String(tag.AcquisitionDateTime))
	}
	return c
}

// dayTimeS returns a DA and a TM (PS3.5 section 6.2) as s; without a date, s since midnight; NaN without a time.
func dayTimeS(date, clock string) float64 {
	clock = strings.ReplaceAll(strings.TrimSpace(clock), ":", "") // as before 1993
	if len(clock) < 4 {
		return math.NaN()
	}
	var s float64
	for i, unit := range []float64{3600, 60} {
		n, err := strconv.ParseUint(clock[2*i:2*i+2], 10, 8)
		if err != nil || n > 59 {
			return math.NaN()
		}
		s += float64(n) * unit
	}
	if rest := clock[4:]; rest != "" {
		f, err := strconv.ParseFloat(rest, 64)
		if err != nil || !(f >= 0 && f < 61) {
			return math.NaN()
		}
		s += f
	}
	return s + dayS(date)
}

// dayS returns s from an arbitrary day to a DA, 0 for one that cannot be read: then all times are of one day.
func dayS(date string) float64 {
	t, err := time.Parse("20060102", strings.ReplaceAll(strings.TrimSpace(date), ".", ""))
	if err != nil {
		return 0
	}
	return float64(t.Unix())
}

// dateTimeS returns a DT as s, without regard to the offset from UTC, which does not change within a study.
func dateTimeS(dt string) float64 {
	dt = strings.TrimSpace(dt)
	if i := strings.IndexAny(dt, "+-"); i >= 0 {
		dt = dt[:i]
	}
	if len(dt) < 12 {
		return math.NaN()
	}
	return dayTimeS(dt[:8], dt[8:])
}
