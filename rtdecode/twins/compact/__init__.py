"""The compact twin: a causal convolutional encoding model, and its gradient written by hand.

`network` holds the model as a torch module, for training and for scoring; `filters` its initial
filters. While a twin is inverted its weights are fixed and one gradient is needed, that with
respect to the frames being estimated. `drive` computes the same prediction and this gradient for
that case in about a fifth of the time: filters become matrices once (`filter_pass`), and each
chain of elementwise operations becomes one compiled loop (`loops`). This page derives what each
pass computes; comments in these modules refer to its numbers. A test evaluates the equations as
they stand here, in NumPy, and compares them with the module and with automatic differentiation.

Notation
========
An index in brackets is an array's axis, one below the line belongs to the name. The gradient of
a scalar loss with respect to an array v is written ∂v and has the shape of v; (n') is the
vector–Jacobian product (VJP) of equation (n), which turns the gradient of its result into that of
its argument.

    t        frame of a window; `history` old, fixed frames come first, then `free` ones
    p        frame whose drive is wanted, one of t
    r, c     row and column of a pixel              k, l   row and column function of the basis
    y, x     site of the fine maps, one for two by two pixels: Y = ⌈rows / 2⌉, X = ⌈cols / 2⌉
    y', x'   site of the coarse maps, one for two by two fine sites: ⌊Y / 2⌋, ⌊X / 2⌋
    s, i, j  temporal stream, order of the row filter, order of the column filter
    h, f     subunit (one of H), feature of the second layer
    n        neuron

    a_t[k,l]          coefficients of frame t: what the inversion estimates
    D[k,r], A[l,c], μ[r,c]  `Basis.down`, `Basis.across`, `Basis.mean`
    m, σ              mean and SD of luminance, `spec.luminance_mean` and `luminance_sd`
    κ_s[τ]            temporal kernel at age τ in frames, `temporal[s, taps − 1 − τ]`
    R_i[y,r], C_j[x,c]  row and column filters as matrices with stride 2, `strided_filters`
    M[isj,h], m_h     `mix`, `mix_bias`
    g                 exp(`log_contrast_gain`)
    G_Y, G_X          Gaussian blur along each side, `blur_matrix`
    W[f,h,v,w], β_f   `combine`, `combine_bias`; v, w = 0, 1, 2
    V[n,h], U[n,f], b_n  the first H columns of `weights`, the others, `bias`
    α_q[n]            weight of the q-th of four sites around `position[n]`, `corner_weights`
    γ[t,n]            gain of behaviour
    k[τ], δ, S_n      `response_kernel` at age τ in taps, `temporal_stride`, `scale`

Forward equations
=================
Frames are represented in a separable basis,

    (1)  x_t[r,c] = μ[r,c] + Σ_kl D[k,r] a_t[k,l] A[l,c]                        (grey levels)

and standardised as (x_t − m) / σ. Filters are linear, so they act on the coefficients, and no frame
is synthesised. Before its first frame a video is taken to be constant:

    (2)  q_ps[k,l] = Σ_t K_s[p,t] a_t[k,l] / σ,   K_s[p,t] = Σ_{τ: max(p−τ,0) = t} κ_s[τ]
    (3)  b[y,x,p,isj] = Σ_kl (R_i Dᵀ)[y,k] q_ps[k,l] (C_j Aᵀ)[x,l]

A mixing layer combines these products to subunits of any orientation and direction of motion:

    (4)  z[y,x,p,h] = z̄[y,x,h] + Σ_isj b[y,x,p,isj] M[isj,h]
         z̄[y,x,h] = m_h + Σ_isj M[isj,h] (Σ_τ κ_s[τ]) Σ_rc R_i[y,r] (μ[r,c] − m) / σ C_j[x,c]

z̄ is the response to a constant video of the mean frame. One half of the subunits is rectified, as
in simple cells, the other squared, as in complex cells; the denominator makes it grow linearly:

    (5)  u = elu(z) for h < H / 2,   u = z² / (1 + |z|) for h ≥ H / 2
         with elu(v) = v for v > 0 and exp(v) − 1 otherwise

All are divided by the local contrast (divisive normalisation, Heeger 1992, Vis. Neurosci.):

    (6)  c[y,x,p] = Σ_h |u[y,x,p,h]| / H
    (7)  d[y,x,p] = 1 + g Σ_y₂x₂ G_Y[y,y₂] c[y₂,x₂,p] G_X[x,x₂]
    (8)  v[y,x,p,h] = u[y,x,p,h] / d[y,x,p]                                     (fine maps)

The second layer pools v and convolves it; maps are 0 outside:

    (9)  w[y',x',p,h] = Σ_{y: ⌊y/2⌋ = y'} Σ_{x: ⌊x/2⌋ = x'} v[y,x,p,h] / 4
    (10) e[y',x',p,f] = elu(β_f + Σ_vwh W[f,h,v,w] w[y'+v−1, x'+w−1, p, h])      (coarse maps)

Each neuron reads both maps at its position, by bilinear interpolation between four sites:

    (11) o[n,p] = b_n + Σ_q α_q[n] Σ_h V[n,h] v[q,p,h] + Σ_q α_q[n] Σ_f U[n,f] e[q,p,f]
    (12) ρ[p,n] = elu(o[n,p]) + 1                                              (visual drive)

where α_q differs between the two sums, as the maps have different sizes. Behaviour multiplies the
drive by a gain between exp(−2) and exp(2). The response kernel accounts for the indicator and for
scanning, which are slow: it acts on activity, after the last nonlinearity, and its taps are δ
frames apart, so that each δ-th frame can be predicted without the others:

    (13) γ[t,n] = exp(2 tanh(Σ_channel B[channel,n] clip((behaviour − mean) / SD, −4, 4) / 2))
    (14) prediction[p,n] = S_n Σ_τ |k[τ]| γ[p−τδ,n] ρ[p−τδ,n]

Where p − τδ lies before the frames computed, the first of them takes its place. (1) to (12) are
`CompactDrive`; (13) does not depend on the video and (14) is linear in ρ: both are left to torch.

Vector–Jacobian products
========================
From ∂ρ to ∂a, in the order of evaluation:

    (12') ∂o[n,p] = ∂ρ[p,n] exp(min(o[n,p], 0))                 since elu'(v) = exp(min(v, 0))
    (11') ∂v[q,p,h] = Σ_n α_q[n] V[n,h] ∂o[n,p],  ∂e[q,p,f] = Σ_n α_q[n] U[n,f] ∂o[n,p]
          over the neurons that have q among their four sites
    (10') ∂ξ = ∂e (min(e, 0) + 1), ξ the argument of elu in (10)   since elu' = min(elu, 0) + 1
          ∂w[y',x',p,h] = Σ_vwf W[f,h,v,w] ∂ξ[y'+1−v, x'+1−w, p, f]
    (9')  ∂v[y,x,p,h] += ∂w[⌊y/2⌋,⌊x/2⌋,p,h] / 4
    (8')  ∂u = ∂v / d,   ∂d = −Σ_h ∂v u / d² = −Σ_h ∂u v
    (7')  ∂c[y,x,p] = g Σ_y₂x₂ G_Y[y₂,y] ∂d[y₂,x₂,p] G_X[x₂,x]
    (6')  ∂u += sign(u) ∂c / H
    (5')  ∂z = ∂u (1 for z > 0, else u + 1) for h < H / 2
          ∂z = ∂u z (2 + |z|) / (1 + |z|)² for h ≥ H / 2
    (4')  ∂b[y,x,p,isj] = Σ_h M[isj,h] ∂z[y,x,p,h]
    (3')  ∂q_ps[k,l] = Σ_yxij (R_i Dᵀ)[y,k] ∂b[y,x,p,isj] (C_j Aᵀ)[x,l]
    (2')  ∂a_t[k,l] = Σ_ps K_s[p,t] ∂q_ps[k,l] / σ      for free frames t alone

At z = 0 the derivative of |u| is taken as −1 in (6'), as good as any other subgradient.

What is cached
==============
* Once for each twin, basis, and number of old, free and wanted frames: the matrices of (2) and (3),
  z̄, G_Y, G_X, the four sites of each neuron with their weights, and an order of the neurons in
  which those with neighbouring sites follow each other.
* Once for each window, while its free frames are improved step by step: the part of q in (2)
  that comes from old frames, `history_term`.
* Once for each frame, when it becomes old: its drive ρ, if the response kernel of a free frame
  extends to it. `rtdecode.decode.predictor` keeps it, and applies (13) and (14) in each window.

Cost
====
Floating-point operations of one forward pass with P wanted and T free frames, N neurons, K × L
coefficients a frame, S streams, I orders, H subunits and F features; in brackets millions for the
demo's twin (P = 5, T = 10, N = 1,200, K × L and Y × X = 18 × 32, S, I, H, F = 2, 4, 48, 32):

    (2)       2 P S T K L                                    [0.1]
    (3)       2 P S K L X I + 2 P S K Y X I²                  [4.8]
    (4)       2 P Y X S I² H                                 [8.8]
    (5)–(9)   about 20 P Y X H, and 2 P Y X (Y + X) for (7)  [3.1]
    (10)      18 P ⌊Y/2⌋ ⌊X/2⌋ H F                           [19.9]
    (11)      9 P N (H + F)                                  [4.3]

About 41 million in all. The backward pass has the same matrix products with one factor transposed,
and none for weights, so value and gradient together cost about twice that.
"""
