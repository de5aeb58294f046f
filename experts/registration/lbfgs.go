package registration

import (
	"context"
	"math"
)

// The minimiser's settings. Unknowns are mm in all of this package, so that lengths of steps can be told.
const (
	memory      = 8   // pairs kept
	firstStepMM = 0.5 // of the unknown that the first gradient moves most
	longStepMM  = 8   // no unknown moves farther in one step
	armijo      = 1e-4
	halvings    = 8
)

// minimise runs L-BFGS (Liu and Nocedal, Math Program 1989;45:503) with a backtracking line search on x, in place, and
// returns how often it called f. f returns the cost at x and adds its derivative to gradient, which is zero. Two steps in
// a row that gain less than tolerance end it, as a line search without success does.
func minimise(ctx context.Context, x []float64, iterations int, tolerance float64, f func(x, gradient []float64) (float64, error)) (int, error) {
	n := len(x)
	gradient, next, nextGradient, direction := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	cost, err := f(x, gradient)
	calls, idle := 1, 0
	var past pairs
	for range iterations {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || idle == 2 {
			break
		}
		past.newton(gradient, direction)
		slope := inner(direction, gradient)
		if !(slope < 0) {
			break
		}
		step := min(1, longStepMM/largest(direction))
		accepted := false
		var nextCost float64
		for range halvings {
			for i := range next {
				next[i] = x[i] + step*direction[i]
			}
			clear(nextGradient)
			if nextCost, err = f(next, nextGradient); err != nil {
				return calls, err
			}
			calls++
			if accepted = nextCost <= cost+armijo*step*slope; accepted {
				break
			}
			// The parabola through both costs and the slope has its minimum at this share of the step.
			share := -slope * step / (2 * (nextCost - cost - slope*step))
			step *= min(max(share, 0.1), 0.5)
		}
		if !accepted {
			if len(past.s) == 0 {
				break
			}
			past = pairs{} // what was learned far away misleads: once more along the gradient
			idle++
			continue
		}
		past.keep(x, next, gradient, nextGradient)
		if idle++; cost-nextCost > tolerance {
			idle = 0
		}
		copy(x, next)
		gradient, nextGradient, cost = nextGradient, gradient, nextCost
	}
	return calls, err
}

// pairs are the latest steps and changes of the gradient, the oldest first.
type pairs struct{ s, y [][]float64 }

// keep adds the pair of two places, unless it would make the estimate of curvature negative.
func (p *pairs) keep(from, to, gradient, nextGradient []float64) {
	var s, y []float64
	if len(p.s) == memory { // the oldest pair's memory is used again
		s, y = p.s[0], p.y[0]
		p.s, p.y = p.s[1:], p.y[1:]
	} else {
		s, y = make([]float64, len(from)), make([]float64, len(from))
	}
	for i := range s {
		s[i], y[i] = to[i]-from[i], nextGradient[i]-gradient[i]
	}
	if inner(s, y) > 1e-10*inner(y, y) {
		p.s, p.y = append(p.s, s), append(p.y, y)
	}
}

// newton sets direction to minus the estimated inverse Hessian times gradient: the two-loop recursion.
func (p *pairs) newton(gradient, direction []float64) {
	for i, g := range gradient {
		direction[i] = -g
	}
	m := len(p.s)
	if m == 0 {
		scale := firstStepMM / max(largest(direction), 1e-300)
		for i := range direction {
			direction[i] *= scale
		}
		return
	}
	alpha, rho := make([]float64, m), make([]float64, m)
	for n := m - 1; n >= 0; n-- {
		rho[n] = 1 / inner(p.s[n], p.y[n])
		alpha[n] = rho[n] * inner(p.s[n], direction)
		addScaled(direction, -alpha[n], p.y[n])
	}
	scale := 1 / (rho[m-1] * inner(p.y[m-1], p.y[m-1]))
	for i := range direction {
		direction[i] *= scale
	}
	for n := range m {
		addScaled(direction, alpha[n]-rho[n]*inner(p.y[n], direction), p.s[n])
	}
}

func inner(a, b []float64) float64 {
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

func addScaled(to []float64, factor float64, v []float64) {
	for i, x := range v {
		to[i] += factor * x
	}
}

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}
