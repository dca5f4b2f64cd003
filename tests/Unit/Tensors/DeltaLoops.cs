namespace Fovea.Tests.Unit.Tensors;

/// <summary>The gated delta rule token by token in doubles, forward and back: what every kernel is compared with.</summary>
internal sealed class DeltaLoops
{
    private const double Epsilon = 1e-6;

    public required int KeyHeads { get; init; }

    public required int Heads { get; init; }

    public required int Keys { get; init; }

    public required int Values { get; init; }

    public required long[] Boundaries { get; init; }

    /// <summary>q, k, v, g, beta and the initial states, as the operator takes them; the last may be empty.</summary>
    public required double[][] Inputs { get; init; }

    private int Tokens => (int)Boundaries[^1];

    private int Size => Keys * Values;

    public double[] Out { get; private set; } = [];

    public double[] Final { get; private set; } = [];

    public static double[] Doubles(Tensor x) => Array.ConvertAll(x.Detach().To(DType.F32).ToArray<float>(), value => (double)value);

    public void Forward()
    {
        Out = new double[Tokens * Heads * Values];
        Final = new double[(Boundaries.Length - 1) * Heads * Size];
        Each((segment, head) =>
        {
            var states = States(segment, head);
            for (var t = 0; t < states.Length - 1; t++)
            {
                var token = (int)Boundaries[segment] + t;
                var q = Normalised(0, token, head, Math.Pow(Keys, -0.5));
                for (var i = 0; i < Size; i++)
                {
                    Out[(((token * Heads) + head) * Values) + (i % Values)] += states[t + 1][i] * q[i / Values];
                }
            }

            states[^1].CopyTo(Final, ((segment * Heads) + head) * Size);
        });
    }

    /// <summary>Gradients of what the operator takes, in its order.</summary>
    public double[][] Backward(double[] gradient, double[]? final)
    {
        var all = Inputs.Select(x => new double[x.Length]).ToArray();
        Each((segment, head) =>
        {
            var states = States(segment, head);
            var dstate = final is null ? new double[Size] : final.AsSpan(((segment * Heads) + head) * Size, Size).ToArray();
            for (var t = states.Length - 2; t >= 0; t--)
            {
                Back((int)Boundaries[segment] + t, head, states[t], states[t + 1], gradient, dstate, all);
            }

            if (Inputs[5].Length > 0)
            {
                dstate.CopyTo(all[5], ((segment * Heads) + head) * Size);
            }
        });
        return all;
    }

    private void Each(Action<int, int> of)
    {
        for (var segment = 0; segment < Boundaries.Length - 1; segment++)
        {
            for (var head = 0; head < Heads; head++)
            {
                of(segment, head);
            }
        }
    }

    private ReadOnlySpan<double> Key(int which, int token, int head) =>
        Inputs[which].AsSpan(((token * KeyHeads) + (head / (Heads / KeyHeads))) * Keys, Keys);

    private double[] Normalised(int which, int token, int head, double scale)
    {
        var x = Key(which, token, head).ToArray();
        var factor = scale / Math.Sqrt(x.Sum(value => value * value) + Epsilon);
        return Array.ConvertAll(x, value => value * factor);
    }

    /// <summary>S^T k.</summary>
    private double[] Read(double[] state, double[] k)
    {
        var sum = new double[Values];
        for (var i = 0; i < Size; i++)
        {
            sum[i % Values] += state[i] * k[i / Values];
        }

        return sum;
    }

    /// <summary>The state before the first token of a segment and behind each.</summary>
    private double[][] States(int segment, int head)
    {
        var (from, end) = ((int)Boundaries[segment], (int)Boundaries[segment + 1]);
        var states = new double[end - from + 1][];
        states[0] = Inputs[5].Length == 0 ? new double[Size] : Inputs[5].AsSpan(((segment * Heads) + head) * Size, Size).ToArray();
        for (var token = from; token < end; token++)
        {
            var k = Normalised(1, token, head, 1);
            var (decay, beta) = (Math.Exp(Inputs[3][(token * Heads) + head]), Inputs[4][(token * Heads) + head]);
            var state = Array.ConvertAll(states[token - from], value => value * decay);
            var read = Read(state, k);
            for (var i = 0; i < Size; i++)
            {
                state[i] += k[i / Values] * beta * (Inputs[2][(((token * Heads) + head) * Values) + (i % Values)] - read[i % Values]);
            }

            states[token - from + 1] = state;
        }

        return states;
    }

    private void Back(int token, int head, double[] before, double[] behind, double[] gradient, double[] dstate, double[][] all)
    {
        var place = (token * Heads) + head;
        var (q, k) = (Normalised(0, token, head, Math.Pow(Keys, -0.5)), Normalised(1, token, head, 1));
        var (decay, beta) = (Math.Exp(Inputs[3][place]), Inputs[4][place]);
        var (dq, dk, dd) = (new double[Keys], new double[Keys], new double[Values]);
        var read = Array.ConvertAll(Read(before, k), value => value * decay);
        for (var i = 0; i < Size; i++)
        {
            var dout = gradient[(place * Values) + (i % Values)];
            dq[i / Values] += behind[i] * dout;
            dstate[i] += q[i / Values] * dout;
            dd[i % Values] += dstate[i] * k[i / Values];
        }

        var u = Array.ConvertAll(Enumerable.Range(0, Values).ToArray(), j => Inputs[2][(place * Values) + j] - read[j]);
        for (var j = 0; j < Values; j++)
        {
            all[4][place] += dd[j] * u[j];
            all[2][(place * Values) + j] = beta * dd[j];
        }

        for (var i = 0; i < Size; i++)
        {
            var (row, column) = (i / Values, i % Values);
            var dread = -beta * dd[column];
            dk[row] += (dstate[i] * beta * u[column]) + (decay * before[i] * dread);
            dstate[i] = dstate[i] + (k[row] * dread);
            all[3][place] += decay * dstate[i] * before[i];
            dstate[i] *= decay;
        }

        Denormalise(0, token, head, Math.Pow(Keys, -0.5), dq, all[0]);
        Denormalise(1, token, head, 1, dk, all[1]);
    }

    private void Denormalise(int which, int token, int head, double scale, double[] dy, double[] to)
    {
        var x = Key(which, token, head);
        double squares = Epsilon, dot = 0;
        for (var i = 0; i < Keys; i++)
        {
            squares += x[i] * x[i];
            dot += x[i] * dy[i];
        }

        for (var i = 0; i < Keys; i++)
        {
            to[(((token * KeyHeads) + (head / (Heads / KeyHeads))) * Keys) + i] += scale * ((dy[i] / Math.Sqrt(squares)) - (x[i] * dot / Math.Pow(squares, 1.5)));
        }
    }
}
