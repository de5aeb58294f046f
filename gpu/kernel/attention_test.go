package kernel

import (
	"fmt"
	"math"
	"testing"
)

var attentions = []AttentionShape{
	{Tokens: 1, Heads: 1, Width: 1, Scale: 1},
	{Tokens: 5, Heads: 3, Width: 4, Scale: 0.5},
	{Tokens: 131, Heads: 2, Width: 7, Scale: 0.378}, // two blocks of queries, three of the gradient's
	{Tokens: 400, Heads: 1, Width: 5, Scale: 1.5},   // two blocks of keys
}

// naiveAttention is the definition, in double precision.
func naiveAttention(s AttentionShape, qkv []float64) []float64 {
	embed := s.embed()
	y := make([]float64, s.Tokens*embed)
	at := func(token, part, head, k int) float64 { return qkv[token*3*embed+part*embed+head*s.Width+k] }
	for i := range s.Tokens {
		for h := range s.Heads {
			p, sum := make([]float64, s.Tokens), 0.0
			for j := range p {
				score := 0.0
				for k := range s.Width {
					score += at(i, 0, h, k) * at(j, 1, h, k)
				}
				p[j] = math.Exp(float64(s.Scale) * score)
				sum += p[j]
			}
			for k := range s.Width {
				for j := range p {
					y[i*embed+h*s.Width+k] += p[j] / sum * at(j, 2, h, k)
				}
			}
		}
	}
	return y
}

func TestAttention(t *testing.T) {
	for _, s := range attentions {
		qkv := normals(1, s.Tokens*3*s.embed())
		y := dirty(s.Tokens * s.embed())
		Attention(s, y, qkv)
		compare(t, fmt.Sprintf("%+v", s), y, naiveAttention(s, wide(qkv)), 1e-5)
	}
}

// Later blocks may hold far greater scores than earlier ones, and the other way round.
func TestAttentionToOneKey(t *testing.T) {
	s := AttentionShape{Tokens: 1000, Heads: 1, Width: 1, Scale: 1}
	for _, key := range []int{0, 383, 384, 999} {
		qkv := make([]float32, 3*s.Tokens)
		for i := range s.Tokens {
			qkv[3*i], qkv[3*i+2] = 50, float32(i)
		}
		qkv[3*key+1] = 3 // a score of 150, whose exponential is beyond float32
		y := dirty(s.Tokens)
		Attention(s, y, qkv)
		for i, v := range y {
			if v != float32(key) {
				t.Fatalf("key %d: query %d sees %g", key, i, v)
			}
		}
	}
}

// The gradient along a direction is the difference quotient of the definition along it.
func TestAttentionGrad(t *testing.T) {
	for _, s := range attentions {
		n := s.Tokens * 3 * s.embed()
		qkv, dy, dqkv := normals(1, n), normals(2, n/3), dirty(n)
		AttentionGrad(s, dqkv, qkv, dy)
		for part, name := range []string{"query", "key", "value"} {
			direction := wide(normals(3, n))
			for i := range direction {
				if i/s.embed()%3 != part {
					direction[i] = 0
				}
			}
			const step = 1e-4
			loss := func(step float64) (sum float64) {
				x := wide(qkv)
				for i, d := range direction {
					x[i] += step * d
				}
				for i, v := range naiveAttention(s, x) {
					sum += v * float64(dy[i])
				}
				return sum
			}
			got, size := 0.0, 0.0
			for i, d := range direction {
				got += d * float64(dqkv[i])
				size += math.Abs(d * float64(dqkv[i]))
			}
			if want := (loss(step) - loss(-step)) / (2 * step); math.Abs(got-want) > 1e-5*(1+size) {
				t.Errorf("%+v: along a change of %s %g, want %g", s, name, got, want)
			}
		}
	}
}
