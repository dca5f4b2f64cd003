namespace Fovea.Evaluation.Objects;

/// <summary>Pairs rows with columns, each at most once, so that the sum of their weights is largest (the Hungarian method).</summary>
internal static class BestPairs
{
    /// <param name="weights">Of each row with each column; none is negative.</param>
    /// <returns>For each row its column; -1 where it has none, or only one of weight 0.</returns>
    public static int[] Of(double[,] weights)
    {
        var (rows, columns) = (weights.GetLength(0), weights.GetLength(1));
        if (rows > columns)
        {
            return Turned(weights, rows, columns);
        }

        // Potentials of rows and columns, and the row of each column; index 0 is outside.
        var (u, v, rowOf, before) = (new double[rows + 1], new double[columns + 1], new int[columns + 1], new int[columns + 1]);
        for (var row = 1; row <= rows; row++)
        {
            rowOf[0] = row;
            var least = new double[columns + 1];
            Array.Fill(least, double.PositiveInfinity);
            var used = new bool[columns + 1];
            var column = 0;
            do
            {
                column = Widen(weights, column, u, v, rowOf, before, least, used);
            }
            while (rowOf[column] != 0);

            for (; column != 0; column = before[column])
            {
                rowOf[column] = rowOf[before[column]];
            }
        }

        var found = new int[rows];
        Array.Fill(found, -1);
        for (var column = 1; column <= columns; column++)
        {
            if (rowOf[column] > 0 && weights[rowOf[column] - 1, column - 1] > 0)
            {
                found[rowOf[column] - 1] = column - 1;
            }
        }

        return found;
    }

    /// <summary>Goes on to the next column of the cheapest path.</summary>
    private static int Widen(double[,] weights, int column, double[] u, double[] v, int[] rowOf, int[] before, double[] least, bool[] used)
    {
        used[column] = true;
        var (row, delta, next) = (rowOf[column], double.PositiveInfinity, 0);
        for (var j = 1; j < v.Length; j++)
        {
            if (used[j])
            {
                continue;
            }

            var cost = -weights[row - 1, j - 1] - u[row] - v[j];
            if (cost < least[j])
            {
                (least[j], before[j]) = (cost, column);
            }

            if (least[j] < delta)
            {
                (delta, next) = (least[j], j);
            }
        }

        for (var j = 0; j < v.Length; j++)
        {
            if (used[j])
            {
                u[rowOf[j]] += delta;
                v[j] -= delta;
            }
            else
            {
                least[j] -= delta;
            }
        }

        return next;
    }

    private static int[] Turned(double[,] weights, int rows, int columns)
    {
        var turned = new double[columns, rows];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                turned[column, row] = weights[row, column];
            }
        }

        var found = new int[rows];
        Array.Fill(found, -1);
        foreach (var (row, column) in Of(turned).Select((row, column) => (row, column)).Where(pair => pair.row >= 0))
        {
            found[row] = column;
        }

        return found;
    }
}
