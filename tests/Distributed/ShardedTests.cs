using System.Text.Json.Nodes;
using Fovea.Bench;
using Fovea.Tests.Unit.Robustness;

namespace Fovea.Tests.Distributed;

/// <summary>ZeRO divides what is stored, not what is computed: every stage gives the losses and weights of one rank without it.</summary>
public sealed class ShardedTests : NativeTest
{
    private const string Rate = "learning_rate=1e-4";
    private const string Tiny = "qwen2_5_vl_tiny";
    private readonly RankRuns runs = new();

    [Theory]
    [InlineData(1, "none")]
    [InlineData(2, "optimizer")]
    [InlineData(3, "none")]
    [InlineData(3, "cpu", "qwen3_vl", true)]
    [InlineData(3, "none", "qwen2_vl")]
    [InlineData(3, "none", "qwen3_vl_moe")]
    [InlineData(3, "cpu", "qwen3_5")]
    [InlineData(3, "cpu", "minicpmv4_6", true)]
    [InlineData(3, "none", "qwen3_5_moe")]
    [Trait("Category", "Long")]
    public void Adapters_agree_with_one_rank(int stage, string offload, string model = Tiny, bool vision = false)
    {
        string[] lora =
        [
            Model(model), Rate, "lora_dropout=0.1", vision ? "freeze_vision_tower=false" : "freeze_vision_tower=true", "val_size=7",
            "max_steps=3", "eval_strategy=steps", "eval_steps=3", "per_device_eval_batch_size=2",
        ];
        var one = runs.Train("one", 1, 4, lora);
        foreach (var ranks in stage == 3 ? new[] { 1, 2, 4 } : [2])
        {
            RankRuns.Near(one, runs.Train($"{ranks}", ranks, 4, [.. lora, $"zero={stage}", $"offload={offload}"]), 1e-5);
            runs.SameWeights("one", $"{ranks}", 1e-5);
            Assert.Equal(runs.Number("one", "eval_loss"), runs.Number($"{ranks}", "eval_loss"), 1e-5);
            Assert.Equal(1, runs.Number($"{ranks}", "eval_perplexity") / runs.Number("one", "eval_perplexity"), 1e-5);
        }
    }

    [Theory]
    [InlineData(1, "none")]
    [InlineData(2, "none")]
    [InlineData(3, "cpu")]
    [InlineData(1, "none", "qwen3_vl")]
    [InlineData(3, "cpu", "qwen3_vl")]
    [InlineData(3, "none", "qwen3_vl_moe")]
    [InlineData(1, "none", "qwen3_5")]
    [InlineData(2, "none", "qwen3_5")]
    [InlineData(3, "cpu", "qwen3_5")]
    [InlineData(3, "cpu", "minicpmv4_6")]
    [InlineData(3, "cpu", "qwen3_5_moe")]
    [Trait("Category", "Long")]
    public void Full_fine_tuning_agrees_with_one_rank_where_some_ranks_see_text_only(int stage, string offload, string model = Tiny)
    {
        // Rank 1 of two never sees an image, and no rank does in the second step.
        var data = runs.Tiny.Rows(12, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                if (i % 2 == 1 || i / 4 == 1)
                {
                    DataParallelTests.MakeText(rows[i]!);
                }
            }
        });
        string[] full =
        [
            "finetuning_type=full", "freeze_vision_tower=false", "freeze_multi_modal_projector=false", "learning_rate=1e-5", "disable_shuffling=true",
            "max_steps=3", Model(model), .. data,
        ];
        var one = runs.Train("one", 1, 4, full);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. full, $"zero={stage}", $"offload={offload}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Ranks_without_a_usable_sample_or_with_fewer_micro_batches_do_not_hang()
    {
        // With one sample a batch, rank 1 of two has nothing at all in the first step; later steps have unequal lengths and a short end.
        var data = runs.Tiny.Rows(10, rows =>
        {
            foreach (var i in new[] { 1, 3 })
            {
                rows[i]!["images"] = new JsonArray(RankGroup.BrokenImage);
            }
        });
        string[] uneven =
            [Rate, "on_bad_sample=skip", "disable_shuffling=true", "micro_batch_tokens=150", "max_steps=-1", "num_train_epochs=2", .. data];
        var one = runs.Train("one", 1, 4, uneven);
        Assert.Equal(6, one.Length);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. uneven, "zero=3"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Category", "Long")]
    public void Adapters_that_begin_with_a_part_of_the_base_agree_with_one_rank(int stage)
    {
        string[] start = ["learning_rate=1e-4", "init_weights=pissa", "pissa_convert=true", "lora_rank=4", "max_steps=3"];
        var one = runs.Train("one", 1, 4, start);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. start, $"zero={stage}"]), 1e-4);

        // Signs of singular vectors are free, so that weights are compared by what they make: the next run's losses over each result.
        foreach (var result in new[] { string.Empty, "pissa_converted" })
        {
            string[] over = ["learning_rate=1e-4", "create_new_adapter=true", "max_steps=2"];
            var below = $"adapter_name_or_path={Path.Combine(runs.Tiny.Out("one"), result)}";
            var first = runs.Train($"over one{result}", 1, 4, [.. over, below]);
            below = $"adapter_name_or_path={Path.Combine(runs.Tiny.Out("two"), result)}";
            RankRuns.Near(first, runs.Train($"over two{result}", 2, 4, [.. over, $"zero={stage}", below]), 1e-4);
        }

        string[] on = ["learning_rate=1e-4", "max_steps=2", $"adapter_name_or_path={runs.Tiny.Out("one")}"];
        RankRuns.Near(runs.Train("on one", 1, 4, on), runs.Train("on two", 2, 4, [.. on, $"zero={stage}"]), 1e-5);
        runs.SameWeights("on one", "on two", 1e-5);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(3, false)]
    [Trait("Category", "Long")]
    public void New_tokens_agree_with_one_rank(int stage, bool rowsAlone)
    {
        string[] tokens = [Rate, "add_special_tokens=circle,top", "max_steps=3", .. rowsAlone ? ["trainable_token_indices=new"] : Array.Empty<string>()];
        var one = runs.Train("one", 1, 4, tokens);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. tokens, $"zero={stage}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Category", "Long")]
    public void Variants_of_adapters_agree_with_one_rank(int stage)
    {
        string[] variant =
        [
            "learning_rate=1e-4", "use_dora=true", "loraplus_lr_ratio=16", "weight_decay=0.1", "lora_dropout=0.1", "exclude_modules=k_proj",
            "rank_pattern={\"q_proj\": 3, \"layers.1.mlp.down_proj\": 16}", "alpha_pattern={\"v_proj\": 4}", "max_steps=3",
        ];
        var one = runs.Train("one", 1, 4, variant);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. variant, $"zero={stage}"]), 1e-5);
        runs.SameWeights("one", "two", 1e-5);
        if (stage == 3)
        {
            // Adapters below are folded in as the weights are placed.
            string[] over = ["learning_rate=1e-4", $"adapter_name_or_path={runs.Tiny.Out("one")}", "create_new_adapter=true", "use_dora=true", "max_steps=2"];
            RankRuns.Near(runs.Train("over one", 1, 4, over), runs.Train("over two", 2, 4, [.. over, "zero=3"]), 1e-5);
            runs.SameWeights("over one", "over two", 1e-5);
        }
    }

    [Theory]
    [InlineData("finetuning_type=lora")]
    [InlineData("use_dora=true")]
    [InlineData("additional_target=lm_head")]
    [InlineData("finetuning_type=full")]
    [Trait("Category", "Long")]
    public void A_run_goes_on_with_other_numbers_of_ranks_and_other_stages(string what)
    {
        string[] both = [what.EndsWith("lora", StringComparison.Ordinal) ? Rate : "learning_rate=1e-5", what, "save_steps=1", "lr_scheduler_type=constant"];
        var whole = runs.Train("whole", 1, 4, [.. both, "max_steps=8"]);
        foreach (var (ranks, zero, steps) in new[] { (2, 3, 2), (1, 0, 4), (4, 3, 6), (2, 1, 8) })
        {
            string[] resume = steps > 2 ? ["resume_from_checkpoint=true"] : [];
            runs.Train("parts", ranks, 4, [.. both, $"max_steps={steps}", $"zero={zero}", .. resume]);
        }

        RankRuns.Near(whole, runs.Tiny.Losses("parts"), 1e-5);
        runs.SameWeights("whole", "parts", 1e-5);
    }

    [Theory]
    [InlineData("lora", 2)]
    [InlineData("full", 3)]
    [Trait("Category", "Long")]
    public void Divided_weights_cost_two_gatherings_and_one_sum_of_what_learns(string finetuning, int times)
    {
        // One micro-batch a step; bytes of all four ranks together are W - 1 times what is brought or summed. Saving the result brings the weights once more.
        string[] one = [Rate, $"finetuning_type={finetuning}", "max_steps=6", "save_strategy=no", "zero=3", "micro_batch_tokens=4096", "recompute=always"];
        runs.Train("four", 4, 4, one);
        var weights = new FileInfo(Path.Combine(TinyRun.Model, "model.safetensors")).Length / 1e6;
        Assert.InRange(runs.MegabytesAStep / 3 / weights, 1, times);
    }

    [Theory]
    [InlineData(Tiny)]
    [InlineData("qwen3_vl")]
    [InlineData("qwen3_5")]
    [InlineData("minicpmv4_6")]
    [InlineData("qwen3_5_moe")]
    [Trait("Category", "Long")]
    public void Image_features_are_kept_across_epochs_and_runs_also_where_weights_are_divided(string model)
    {
        string[] cached = [Model(model), Rate, "max_steps=12", "max_samples=8", $"vision_cache_dir={Path.Combine(runs.Tiny.Folder, "features")}", "zero=3"];
        var first = runs.Train("first", 2, 4, cached);
        Assert.NotEmpty(Directory.EnumerateFiles(Path.Combine(runs.Tiny.Folder, "features"), "*", SearchOption.AllDirectories));
        RankRuns.Near(first, runs.Train("second", 2, 4, cached), 1e-5);
        RankRuns.Near(first, runs.Train("whole", 1, 4, [Model(model), Rate, "max_steps=12", "max_samples=8"]), 1e-5);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void A_full_model_may_stay_in_the_ranks_parts_and_is_put_together_by_export()
    {
        string[] parts =
        [
            "finetuning_type=full", "learning_rate=1e-5", "max_steps=2", "save_steps=1", "lr_scheduler_type=constant", "bf16=false",
            """deepspeed={"zero_optimization": {"stage": 3, "stage3_gather_16bit_weights_on_model_save": false}}""",
        ];
        runs.Train("parts", 2, 4, parts);
        var checkpoint = Path.Combine(runs.Tiny.Out("parts"), "checkpoint-2");
        Assert.Empty(Directory.EnumerateFiles(checkpoint, "model*"));
        var exported = runs.Tiny.Out("exported");
        var (code, _, errors) = FoveaProcess.Run("export", "--model", checkpoint, "--out", exported);
        Assert.True(code == 0, errors);
        runs.SameWeights("parts", "exported", 0);
        var whole = runs.Train("whole", 2, 4, [.. parts, "max_steps=4"]);
        RankRuns.Near(whole, runs.Train("parts", 1, 4, [.. parts[..^1], "max_steps=4", "resume_from_checkpoint=true"]), 1e-5);
    }

    [Fact]
    public void An_earlier_adapter_is_folded_into_the_weights_as_they_are_divided()
    {
        runs.Train("first", 1, 4, Rate, "max_steps=2");
        runs.Train("second", 1, 4, Rate, "max_steps=2", "seed=7");
        string[] both = [Rate, "max_steps=2", $"adapter_name_or_path={runs.Tiny.Out("first")},{runs.Tiny.Out("second")}"];
        var one = runs.Train("one", 1, 4, both);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. both, "zero=3"]), 1e-5);
        Assert.True(Math.Abs(one[0] - runs.Tiny.Losses("second")[0]) > 1e-3, "the earlier adapter makes no difference");
        runs.SameWeights("one", "two", 1e-5);
    }

    [Fact]
    public void A_trace_shows_collectives_on_tracks_of_their_own_beside_what_is_computed()
    {
        runs.Train("traced", 2, 4, Rate, "finetuning_type=full", "max_steps=2", "zero=3", "profile=true", "micro_batch_tokens=4096");
        foreach (var file in new[] { "trace.json", "trace.rank1.json" })
        {
            var spans = RunTrace.Read(Path.Combine(runs.Tiny.Out("traced"), file));
            var together = spans.Where(span => span.IsCollective).ToList();
            Assert.Empty(together.Select(span => span.Thread).Intersect(spans.Except(together).Select(span => span.Thread)));
            Assert.All(together, span => Assert.True(span.Seconds >= 0, $"{span}"));
            Assert.All(together.GroupBy(span => span.Thread), track => Assert.All(
                track.OrderBy(span => span.Start).Zip(track.OrderBy(span => span.Start).Skip(1)),
                pair => Assert.True(pair.First.Start + pair.First.Seconds <= pair.Second.Start + 1e-6, $"{pair}")));

            // The second block was on its way before the first one ran; sums were under way while backward went on.
            Assert.True(First("gather: the weights of language block 1").Start < First("language block 0").Start);
            var backward = First("backward");
            Assert.InRange(First("reduce: the gradients of language block 1").Start, backward.Start, backward.Start + backward.Seconds);
            Assert.InRange(Overlap.Of(spans).Share, 0.001, 1);

            TraceSpan First(string name) => spans.Where(span => span.Name == name).MinBy(span => span.Start)!;
        }
    }

    [Fact]
    public void A_checkpoint_with_a_part_missing_is_refused()
    {
        runs.Train("parts", 2, 4, Rate, "save_steps=1", "max_steps=1", "zero=2");
        File.Delete(Path.Combine(runs.Tiny.Out("parts"), "checkpoint-1", "optimizer-00002-of-00002.safetensors"));
        var e = Assert.Throws<CheckpointException>(() => runs.Train("parts", 1, 4, Rate, "max_steps=2", "resume_from_checkpoint=true"));
        Assert.Contains("has 1 of the 2 files of its optimizer", e.Message);
    }

    [Fact]
    public void Bf16_agrees_with_one_rank_within_its_rounding()
    {
        // A micro-batch for each sample: products of the same shapes, which libraries round alike.
        string[] half = [Rate, "bf16=true", "max_steps=3", "recompute=always", "micro_batch_tokens=1"];
        var one = runs.Train("one", 1, 4, half);
        RankRuns.Near(one, runs.Train("two", 2, 4, [.. half, "zero=3"]), 2e-3);
    }

    protected override void Cleanup() => runs.Dispose();

    private static string Model(string golden) => $"model_name_or_path={TestFiles.Golden($"{golden}/model")}";
}
