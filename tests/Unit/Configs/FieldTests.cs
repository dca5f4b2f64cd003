using System.Text.Json;
using System.Text.Json.Nodes;
using Fovea.Models;
using Fovea.Models.Configs;
using Fovea.Models.Grids;
using Fovea.Models.Hybrids;
using Fovea.Models.MiniCpmV;
using Fovea.Models.MiniCpmV46;
using Fovea.Models.MiniMindV;
using Fovea.Models.Qwen25Vl;
using Fovea.Models.Qwen2Vl;
using Fovea.Models.Qwen35;
using Fovea.Models.Qwen3Vl;

namespace Fovea.Tests.Unit.Configs;

/// <summary>
/// Every field of a model folder's JSON files changes a result, is refused by name, or is known to change nothing and why: each is changed in turn, on small
/// models of every family whose files have the fields of the published ones.
/// </summary>
public sealed class FieldTests : NativeTest
{
    private static readonly Dictionary<string, string> Elsewhere = new()
    {
        ["weights"] = "names the file of the weights, which are drawn here",
        ["size.longest_edge"] = "the test's pictures are smaller; ReasoningTemplateTests compares sizes",
        ["text_config.dtype"] = "chat and plan take the file's own where it has both",
    };

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen2_5_VL(string config)
    {
        using var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        File.Copy(TestFiles.Golden($"qwen2_5_vl_tiny/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen2_5_vl_tiny/data/images/000_0.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen25VlFields.Text,
                    "vision_config" => Qwen25VlFields.Vision,
                    "" => Qwen25VlFields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => Qwen25VlFields.Images,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen3_VL(string config)
    {
        using var folder = new ConfigFolder("qwen3_vl/model");
        File.Copy(TestFiles.Golden($"qwen3_vl/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen3_vl/data/images/000_0.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen3VlFields.Text,
                    "vision_config" => Qwen3VlFields.Vision,
                    "" => Qwen3VlFields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => GridImages.Fields,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen3_VL_with_experts(string config)
    {
        using var folder = new ConfigFolder("qwen3_vl_moe/model");
        File.Copy(TestFiles.Golden($"qwen3_vl_moe/{config}"), Families.ConfigPath(folder.Path), overwrite: true);

        // Only then is the width of MLPs read into something.
        folder.Set("text_config.mlp_only_layers", "[1]");
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen3_vl_moe/data/images/000_0.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen3VlFields.ExpertsText,
                    "vision_config" => Qwen3VlFields.Vision,
                    "" => Qwen3VlFields.ExpertsRoot,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => GridImages.Fields,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen3_5(string config)
    {
        using var folder = new ConfigFolder("qwen3_5/model");
        File.Copy(TestFiles.Golden($"qwen3_5/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen3_5/data/images/000_0.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen35Fields.Text,
                    "vision_config" => Qwen35Fields.Vision,
                    "" => Qwen35Fields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => GridImages.Fields,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen3_5_with_experts(string config)
    {
        using var folder = new ConfigFolder("qwen3_5_moe/model");
        File.Copy(TestFiles.Golden($"qwen3_5_moe/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen3_5_moe/data/images/000_0.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen35Fields.ExpertsText,
                    "vision_config" => Qwen35Fields.Vision,
                    "" => Qwen35Fields.ExpertsRoot,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => GridImages.Fields,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("text_config.linear_allow_neg_eigval", "true")]
    [InlineData("text_config.linear_gate_bound", "3")]
    [InlineData("text_config.num_shared_layers", "2")]
    [InlineData("text_config.attn_output_gate", "false")]
    [InlineData("text_config.mamba_ssm_dtype", "\"bfloat16\"")]
    [InlineData("text_config.num_experts", "8")]
    [InlineData("text_config.mlp_only_layers", "[1]")]
    [InlineData("language_model_only", "true")]
    public void A_later_release_s_field_that_may_change_the_result_is_refused(string field, string value)
    {
        using var folder = new ConfigFolder("qwen3_5/model");
        folder.Set(field, value);
        var error = Assert.Throws<ConfigException>(() => Qwen35Config.Read(ModelSource.Open(folder.Path).Config));
        Assert.Contains(field, error.Message);
        Assert.Contains(Families.ConfigPath(folder.Path), error.Message);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_Qwen2_VL(string config)
    {
        using var folder = new ConfigFolder("qwen2_vl/model");
        File.Copy(TestFiles.Golden($"qwen2_vl/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("qwen2_vl/data/images/one.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => Qwen2VlFields.Text,
                    "vision_config" => Qwen2VlFields.Vision,
                    "" => Qwen2VlFields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => Qwen2VlFields.Images,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("model/config.json")]
    [InlineData("config.transformers5.json")]
    public void Every_field_of_MiniCPM_V_4_6(string config)
    {
        using var folder = new ConfigFolder("minicpmv4_6/model");
        File.Copy(TestFiles.Golden($"minicpmv4_6/{config}"), Families.ConfigPath(folder.Path), overwrite: true);
        FieldEffects.Check(
            folder.Path, TestFiles.Golden("minicpm_v26/data/images/large.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "text_config" => HybridFields.Text,
                    "vision_config" => MiniCpmV46Fields.Vision,
                    "" => MiniCpmV46Fields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => MiniCpmV46Fields.Images,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("minicpm_v2/model")]
    [InlineData("minicpm_v25/model")]
    [InlineData("minicpm_v26/model")]
    [InlineData("minicpm_v4")]
    [InlineData("minicpm_v45/model")]
    public void Every_field_of_MiniCPM_V(string golden)
    {
        using var folder = new ConfigFolder(golden);
        if (golden == "minicpm_v4")
        {
            // The golden is of its language model alone.
            foreach (var name in new[] { "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json" })
            {
                File.Copy(Path.Combine(TestFiles.Golden("minicpm_v26/model"), name), Path.Combine(folder.Path, name));
            }

            folder.Set("vocab_size", "2015");
        }

        FieldEffects.Check(
            folder.Path, TestFiles.Golden("minicpm_v2/data/images/wide.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path switch
                {
                    "slice_config" => MiniCpmVFields.Slices,
                    "vision_config" => MiniCpmVFields.Vision,
                    "" => MiniCpmVFields.Root,
                    _ => Rope(path),
                },
                ["preprocessor_config.json"] = _ => MiniCpmVFields.Images,
            },
            Elsewhere);
    }

    [Theory]
    [InlineData("a", false)]
    [InlineData("a", true)]
    [InlineData("c", false)]
    [InlineData("c", true)]
    public void Every_field_of_MiniMind_V(string generation, bool moe)
    {
        using var folder = new ConfigFolder($"minimind_{generation}/tokenizer");
        var encoder = generation == "a" ? "clip-vit-base-patch16" : "siglip2-base-p32-256-ve";
        Directory.CreateDirectory(Path.Combine(folder.Path, encoder));
        foreach (var name in new[] { "config.json", "preprocessor_config.json" })
        {
            File.Copy(TestFiles.Golden($"minimind_{generation}/vision/{encoder}/{name}"), Path.Combine(folder.Path, encoder, name));
        }

        File.WriteAllText(Families.ConfigPath(folder.Path), generation == "a" ? GenerationA(encoder, moe) : GenerationC(encoder, moe));
        var elsewhere = new Dictionary<string, string>(Elsewhere);
        foreach (var name in moe ? [] : new[]
        {
            "n_routed_experts", "num_experts_per_tok", "n_shared_experts", "aux_loss_alpha", "norm_topk_prob", "num_experts", "moe_intermediate_size",
            "router_aux_loss_coef",
        })
        {
            elsewhere.Add(name, "a model without experts");
        }

        if (moe)
        {
            elsewhere.Add("intermediate_size", "moe_intermediate_size is given");
        }

        if (generation == "a")
        {
            elsewhere.Add("multiple_of", "hidden_dim is given");
        }

        FieldEffects.Check(
            folder.Path, TestFiles.Golden("minicpm_v2/data/images/wide.png"), new Dictionary<string, Func<string, FieldTable>>
            {
                ["config.json"] = path => path.Length > 0 ? Rope(path) : generation == "a" ? MiniMindVFields.A : MiniMindVFields.C,
                [$"{encoder}/config.json"] = _ => MiniMindVFields.Encoder,
                [$"{encoder}/preprocessor_config.json"] = _ => MiniMindVFields.Images,
            },
            elsewhere);
    }

    [Fact]
    public void Multiple_of_counts_where_the_inner_width_is_left_open()
    {
        using var folder = new ConfigFolder("minimind_a/tokenizer");
        var encoder = TestFiles.Golden("minimind_a/vision/clip-vit-base-patch16");
        int Inner(int multiple)
        {
            File.WriteAllText(Families.ConfigPath(folder.Path), GenerationA(encoder, moe: false));
            folder.Set("hidden_dim", null);
            folder.Set("multiple_of", $"{multiple}");
            return MiniMindVConfig.Read(ModelSource.Open(folder.Path)).IntermediateSize;
        }

        Assert.Equal((192, 200), (Inner(64), Inner(40)));
    }

    [Theory]
    [InlineData("minicpm_v26/model", "rope_scalling", """{ "type": "yarn" }""")]
    [InlineData("qwen2_5_vl_tiny/model", "final_logit_softcapping", "30.0")]
    [InlineData("qwen2_5_vl_tiny/model", "resid_dropout", "0.1")]
    [InlineData("minicpm_v25/model", "vision_feature_layer", "-2")]
    [InlineData("qwen2_5_vl_tiny/model", "quantization_config", """{ "quant_method": "awq" }""")]
    public void An_unknown_field_that_sounds_like_a_change_of_the_result_is_refused(string golden, string field, string value)
    {
        using var folder = new ConfigFolder(golden);
        folder.Set(field, value);
        var error = Assert.Throws<ConfigException>(() => ModelSource.Open(folder.Path).Load(new ModelOptions()));
        Assert.Contains(field, error.Message);
        Assert.Contains(Families.ConfigPath(folder.Path), error.Message);
    }

    [Fact]
    public void An_unknown_field_that_says_nothing_is_told_once()
    {
        using var folder = new ConfigFolder("qwen2_5_vl_tiny/model");
        folder.Set("my_note", "\"made on a Monday\"");
        folder.Set("vision_config.origin", "\"here\"");
        folder.Set("shop", "3", "preprocessor_config.json");
        using var model = ModelSource.Open(folder.Path).Load(new ModelOptions());
        Assert.Equal(
            [$"{folder.Path}: these fields of its JSON files are not known and have no effect: my_note, vision_config.origin, shop"], model.Notices);
    }

    [Theory]
    [InlineData("qwen2_5_vl_configs/3b")]
    [InlineData("qwen2_5_vl_configs/7b")]
    [InlineData("qwen2_5_vl_configs/72b")]
    [InlineData("qwen2_5_vl_configs/3b-transformers5")]
    [InlineData("qwen2_5_vl_configs/7b-transformers5")]
    [InlineData("qwen2_vl_configs/2b")]
    [InlineData("qwen2_vl_configs/7b")]
    [InlineData("qwen2_vl_configs/72b")]
    [InlineData("qwen3_vl_configs/2b")]
    [InlineData("qwen3_vl_configs/4b")]
    [InlineData("qwen3_vl_configs/8b")]
    [InlineData("qwen3_vl_configs/32b")]
    [InlineData("qwen3_5_configs/0.8b")]
    [InlineData("qwen3_5_configs/2b")]
    [InlineData("qwen3_5_configs/4b")]
    [InlineData("qwen3_5_configs/9b")]
    [InlineData("qwen3_5_configs/27b")]
    [InlineData("qwen3_5_moe_configs/35b-a3b")]
    [InlineData("minicpm_configs/v2")]
    [InlineData("minicpm_configs/v25")]
    [InlineData("minicpm_configs/v26")]
    [InlineData("minicpm_configs/o26")]
    [InlineData("minicpm_configs/v45")]
    [InlineData("minicpm_configs/v46")]
    public void The_published_files_are_read_without_a_word_and_no_field_of_them_is_overlooked(string golden)
    {
        using var folder = new ConfigFolder(golden);
        var path = Families.ConfigPath(folder.Path);
        var before = File.ReadAllText(path);
        var source = ModelSource.Open(folder.Path);
        Assert.Empty(source.Family.UnknownFields(source));
        var (root, text, vision) = source.Family switch
        {
            Qwen25VlFamily => (Qwen25VlFields.Root, Qwen25VlFields.Text, Qwen25VlFields.Vision),
            Qwen2VlFamily => (Qwen2VlFields.Root, Qwen2VlFields.Text, Qwen2VlFields.Vision),
            Qwen3VlFamily => (Qwen3VlFields.Root, Qwen3VlFields.Text, Qwen3VlFields.Vision),
            Qwen35Family when Qwen35Config.HasExperts(source.Config) => (Qwen35Fields.ExpertsRoot, Qwen35Fields.ExpertsText, Qwen35Fields.Vision),
            Qwen35Family => (Qwen35Fields.Root, Qwen35Fields.Text, Qwen35Fields.Vision),
            MiniCpmV46Family => (MiniCpmV46Fields.Root, HybridFields.Text, MiniCpmV46Fields.Vision),
            _ => (MiniCpmVFields.Root, MiniCpmVFields.Root, MiniCpmVFields.Vision),
        };
        var plain = Read();
        foreach (var (field, values) in FieldEffects.Leaves(JsonNode.Parse(before)!, string.Empty))
        {
            var name = field.Split('.')[^1];
            var table = field.Split('.') switch
            {
                ["text_config", _] => text,
                ["vision_config", _] => vision,
                ["slice_config", _] => MiniCpmVFields.Slices,
                [_] => root,
                _ => Rope(field),
            };
            if (table.ReasonOf(name) is null && name is not ("torch_dtype" or "dtype"))
            {
                Assert.True(values.Any(value => Differs(field, name, value)), $"{field} is read into nothing");
            }
        }

        bool Differs(string field, string name, JsonNode value)
        {
            File.WriteAllText(path, FieldEffects.With(before, field, value));
            try
            {
                return Read() != plain;
            }
            catch (ConfigException e)
            {
                Assert.Contains(name, e.Message);
                return true;
            }
        }

        string Read()
        {
            var json = ConfigReader.Open(path);
            return source.Family switch
            {
                Qwen25VlFamily => JsonSerializer.Serialize(Qwen25VlConfig.Read(json)),
                Qwen2VlFamily => JsonSerializer.Serialize(Qwen2VlConfig.Read(json)),
                Qwen3VlFamily => JsonSerializer.Serialize(Qwen3VlConfig.Read(json)),
                Qwen35Family => JsonSerializer.Serialize(Qwen35Config.Read(json)),
                MiniCpmV46Family => JsonSerializer.Serialize(MiniCpmV46Config.Read(json)),
                _ => JsonSerializer.Serialize(MiniCpmVConfig.Read(json)),
            };
        }
    }

    /// <summary>Nothing in a rotary embedding's object is without effect but an original length that its type does not read.</summary>
    private static FieldTable Rope(string path)
    {
        Assert.Contains("rope", path);
        return new FieldTable();
    }

    /// <summary>What the project's LMConfig and VLMConfig hold, at their defaults but for the sizes.</summary>
    private static string GenerationA(string encoder, bool moe) => JsonSerializer.Serialize(new Dictionary<string, object?>
    {
        ["model_type"] = "minimind-v", ["dim"] = 64, ["n_layers"] = 2, ["n_heads"] = 4, ["n_kv_heads"] = 2, ["vocab_size"] = 6400, ["hidden_dim"] = 128,
        ["multiple_of"] = 64, ["norm_eps"] = 1e-5, ["max_seq_len"] = 8192, ["rope_theta"] = 1e6, ["dropout"] = 0.0, ["flash_attn"] = true, ["use_moe"] = moe,
        ["num_experts_per_tok"] = 2, ["n_routed_experts"] = 4, ["n_shared_experts"] = true, ["scoring_func"] = "softmax", ["aux_loss_alpha"] = 0.1,
        ["seq_aux"] = true, ["norm_topk_prob"] = true, ["image_special_token"] = new string('@', 196), ["image_ids"] = Enumerable.Repeat(34, 196),
        ["tie_word_embeddings"] = true, ["torch_dtype"] = "float32", ["transformers_version"] = "4.48.0", ["vision_model"] = encoder, ["weights"] = "lm_64.pth",
    });

    /// <summary>What the project's MiniMindConfig and VLMConfig hold, as Transformers 5 writes it.</summary>
    private static string GenerationC(string encoder, bool moe) => JsonSerializer.Serialize(new Dictionary<string, object?>
    {
        ["model_type"] = "minimind-v", ["hidden_size"] = 64, ["num_hidden_layers"] = 2, ["num_attention_heads"] = 4, ["num_key_value_heads"] = 2,
        ["head_dim"] = 16, ["intermediate_size"] = 128, ["vocab_size"] = 6400, ["max_position_embeddings"] = 32768, ["rms_norm_eps"] = 1e-6,
        ["rope_parameters"] = new Dictionary<string, object> { ["rope_theta"] = 1e6, ["rope_type"] = "default" }, ["dropout"] = 0.0, ["flash_attn"] = true,
        ["hidden_act"] = "silu", ["bos_token_id"] = 1, ["eos_token_id"] = 2, ["inference_rope_scaling"] = false, ["use_moe"] = moe, ["num_experts"] = 4,
        ["num_experts_per_tok"] = 1, ["moe_intermediate_size"] = 128, ["norm_topk_prob"] = true, ["router_aux_loss_coef"] = 5e-4,
        ["image_special_token"] = "<|image_pad|>", ["image_ids"] = (int[])[12], ["image_hidden_size"] = 64, ["image_token_len"] = 64,
        ["tie_word_embeddings"] = true, ["dtype"] = "float32", ["transformers_version"] = "5.12.1", ["vision_model"] = encoder, ["weights"] = "llm_64.pth",
    });
}
