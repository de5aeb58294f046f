package fusion

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
)

func TestOracleLogits(t *testing.T) {
	dir := oracle(t)
	m, err := New(oracleWeights(t, dir), Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	want, found := npyFile(t, dir, "logits.npy"), table{}
	for i, in := range oracleInputs(t, dir) {
		got, err := m.Logits(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		found.add(t, fmt.Sprintf("logits of case %d", i), farthest(got, sample(want, 2, i)), 1e-5)
	}
	found.log(t, "largest absolute difference")
}

// Modalities that are absent: their rows left out, or their volumes zero.
func TestOracleVariants(t *testing.T) {
	dir := oracle(t)
	m, err := New(oracleWeights(t, dir), Options{Branches: branches()})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "variants.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	full, found := oracleInputs(t, dir)[0], table{}
	for _, which := range []string{"none", "dce", "dwi", "t2", "dce+dwi", "dce+t2", "dwi+t2", "dce+dwi+t2"} {
		var want struct {
			Zero []float32 `json:"zero_logits"`
			Drop []float32 `json:"drop_logits"`
		}
		if err := json.Unmarshal(all[which], &want); err != nil {
			t.Fatal(err)
		}
		drop, zero := full, full
		if !strings.Contains(which, "dce") {
			drop.DCE, zero.DCE = nil, make([]float32, len(full.DCE))
		}
		if !strings.Contains(which, "dwi") {
			drop.DWI, zero.DWI = nil, make([]float32, len(full.DWI))
		}
		if !strings.Contains(which, "t2") {
			drop.T2, zero.T2 = nil, make([]float32, len(full.T2))
		}
		for _, v := range []struct {
			name string
			in   Input
			want []float32
		}{{"left out", drop, want.Drop}, {"zero", zero, want.Zero}} {
			got, err := m.Logits(context.Background(), v.in)
			if err != nil {
				t.Fatal(err)
			}
			found.add(t, which+", others "+v.name, farthest(got, v.want), 1e-5)
		}
	}
	found.log(t, "largest absolute difference in the logits")
}

// Every activation that the published code's run left, all rows that the graph computes of it.
func TestOracleActivations(t *testing.T) {
	dir := oracle(t)
	set := oracleWeights(t, dir)
	b, _, _ := graphOf(t, set)
	var compared []activation
	for _, m := range []string{"dce", "dwi", "t2"} {
		first := 0
		if m == "dce" {
			first = 1 // the file has the class token in front, the mark has not
		}
		compared = append(compared, activation{"stem." + m, "stem_" + m + "_tokens", first, -1})
	}
	parts := Rows(b.Config, oracleInputs(t, dir)[0])
	parts[1].From = 0 // with the class token
	for _, p := range parts[1:] {
		compared = append(compared, activation{"embed." + p.Name, "embed", p.From, p.To})
		for mark, file := range map[string]string{"inner": "attn_inner_ln", "attention": "attn_out", "ffn": "ffn", "adapter": "adapter"} {
			compared = append(compared, activation{mark + ".0." + p.Name, "layer00_" + file, p.From, p.To})
		}
		for i := range 3 {
			compared = append(compared, activation{fmt.Sprintf("layer.%d.%s", i, p.Name), fmt.Sprintf("layer%02d_out", i), p.From, p.To})
		}
	}
	compared = append(compared, activation{"mixture.3", "layer03_softmoe", 0, 1}, activation{"adapter.3", "layer03_adapter", 0, 1},
		activation{"layer.3.cls", "layer03_out", 0, 1}, activation{"fc_norm", "fc_norm", 0, 1})
	slices.SortStableFunc(compared, func(a, b activation) int { return strings.Compare(a.file, b.file) })

	var outputs []*gorgonia.Node
	for _, a := range compared {
		if b.Marked(a.mark) == nil {
			t.Fatalf("nothing is marked %q", a.mark)
		}
		outputs = append(outputs, b.Marked(a.mark))
	}
	p := compile(t, b, set, outputs...)
	worst := make([]float64, len(compared))
	for i, in := range oracleInputs(t, dir) {
		run(t, p, in, nil)
		for k, a := range compared {
			worst[k] = max(worst[k], farthest(value(t, p, outputs[k]), a.rows(t, dir, i, outputs[k].Shape()[1])))
		}
	}
	var found table
	for k, a := range compared {
		found.add(t, a.mark, worst[k], 1e-4)
	}
	found.log(t, "largest absolute difference in two cases")
}

// activation is a mark with the rows [from, to) of a file that it stands for; to = -1 is the end.
type activation struct {
	mark, file string
	from, to   int
}

func (a activation) rows(t *testing.T, dir string, which, width int) []float32 {
	t.Helper()
	data := sample(npyFile(t, dir, "act", a.file+".npy"), 2, which)
	if a.to < 0 {
		return data[a.from*width:]
	}
	return data[a.from*width : a.to*width]
}
