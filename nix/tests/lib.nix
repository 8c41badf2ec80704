# A stand-in for the library of nixpkgs: as much of its module system, types and helpers as the modules here use, so
# that they can be evaluated where there is no nixpkgs. What it does not know, it refuses; so a module that begins to
# use something else fails here first. The check `modules` of the flake runs the same tests with the real library.
let
  inherit (builtins)
    all
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    replaceStrings
    sort
    stringLength
    substring
    toJSON
    typeOf
    ;

  # ---- helpers, which do as those of the same name in nixpkgs

  helpers = rec {
    nameValuePair = name: value: { inherit name value; };
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalAttrs = condition: attrs: if condition then attrs else { };
    optionalString = condition: text: if condition then text else "";
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      stringLength text >= stringLength suffix
      && substring (stringLength text - stringLength suffix) (stringLength suffix) text == suffix;
    hasInfix = infix: text: replaceStrings [ infix ] [ "" ] text != text;
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
    mapAttrsToList = f: attrs: map (name: f name attrs.${name}) (attrNames attrs);
    mapAttrs' = f: attrs: listToAttrs (mapAttrsToList f attrs);
    filterAttrs = keep: attrs: listToAttrs (
      map (name: nameValuePair name attrs.${name}) (filter (name: keep name attrs.${name}) (attrNames attrs))
    );
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    concatMapStringsSep = separator: f: values: concatStringsSep separator (map f values);
    concatMapStrings = concatMapStringsSep "";
    isDerivation = value: isAttrs value && value.type or null == "derivation";
    getExe = package: "${package}/bin/${package.meta.mainProgram}";
    escapeShellArg =
      word:
      if match "[A-Za-z0-9_./:=@%+,-]+" word != null then
        word
      else
        "'${replaceStrings [ "'" ] [ "'\\''" ] word}'";
    escapeShellArgs = concatMapStringsSep " " escapeShellArg;
    makeBinPath = concatMapStringsSep ":" (package: "${package}/bin");
    importTOML = path: builtins.fromTOML (builtins.readFile path);
    versionAtLeast = version: least: builtins.compareVersions version least >= 0;
    assertMsg = condition: message: condition || throw message;
    unique = foldl' (seen: value: if elem value seen then seen else seen ++ [ value ]) [ ];
  };

  inherit (helpers) optionals concatMapStringsSep mapAttrsToList;

  # ---- what a value in a configuration can be wrapped in

  properties = rec {
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkOverride = priority: content: {
      _type = "override";
      inherit priority content;
    };
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkOrder = order: content: {
      _type = "order";
      inherit order content;
    };
    mkBefore = mkOrder 500;
    mkAfter = mkOrder 1500;
  };

  kind = value: if isAttrs value then value._type or null else null;

  # A configuration as a list of attribute sets: conditions move down to the values, so that names are known without
  # them.
  pushDown =
    value:
    {
      "if" = map (mapAttrs (_: properties.mkIf value.condition)) (pushDown value.content);
      "merge" = concatMap pushDown value.contents;
      "override" = map (mapAttrs (_: properties.mkOverride value.priority)) (pushDown value.content);
      "null" =
        if isAttrs value then [ value ] else throw "a set of options is expected, and there is a ${typeOf value}";
    }
    .${if kind value == null then "null" else kind value};

  # The values that count of one option: those whose conditions hold, of the strongest priority, in their order.
  discharge =
    values:
    let
      open =
        priority: order: value:
        {
          "if" = if value.condition then open priority order value.content else [ ];
          "merge" = concatMap (open priority order) value.contents;
          "override" = open value.priority order value.content;
          "order" = open priority value.order value.content;
        }
        .${toString (kind value)} or [ { inherit priority order value; } ];
      opened = concatMap (open 100 1000) values;
      strongest = foldl' (least: found: if found.priority < least then found.priority else least) 9999 opened;
      counting = filter (found: found.priority == strongest) opened;
    in
    map (found: found.value) (sort (a: b: a.order < b.order) counting);

  # ---- types: whether a value is of one, and what several values are together

  show = value: if isAttrs value || isFunction value then "a ${typeOf value}" else toJSON value;

  one =
    where: values:
    if length values == 1 || all (value: value == head values) values then
      head values
    else
      throw "the option `${where}` has conflicting values: ${concatMapStringsSep ", " show values}";

  mkType =
    name: check:
    {
      merge ? one,
    }:
    {
      inherit name check merge;
      description = name;
    };

  mergeOf =
    where: type: values:
    let
      counting = discharge values;
      bad = filter (value: !type.check value) counting;
    in
    if bad != [ ] then
      throw "a definition for option `${where}` is not of type `${type.description}`: ${show (head bad)}"
    else
      type.merge where counting;

  isStringLike = value: isString value || isPath value || (isAttrs value && value ? outPath);

  mergeAttrs =
    elementType: where: values:
    let
      sets = concatMap pushDown values;
      names = helpers.unique (concatMap attrNames sets);
      of = name: concatMap (set: optionals (set ? ${name}) [ set.${name} ]) sets;
      kept = filter (name: discharge (of name) != [ ]) names;
    in
    helpers.genAttrs kept (name: mergeOf "${where}.${name}" elementType (of name));

  types = rec {
    bool = mkType "boolean" isBool { };
    int = mkType "integer" isInt { };
    str = mkType "string" isString { };
    float = mkType "float" isFloat { };
    path = mkType "absolute path" (value: isStringLike value && substring 0 1 (toString value) == "/") { };
    package = mkType "package" helpers.isDerivation { };
    lines = mkType "lines" isString { merge = _: concatStringsSep "\n"; };
    port = ints.between 0 65535;
    ints = {
      between =
        least: most:
        mkType "integer between ${toString least} and ${toString most}" (
          value: isInt value && value >= least && value <= most
        ) { };
      positive = mkType "positive integer" (value: isInt value && value > 0) { };
    };
    strMatching =
      pattern:
      mkType "string matching the pattern ${pattern}" (value: isString value && match pattern value != null) { };
    enum = values: mkType "one of ${concatMapStringsSep ", " toJSON values}" (value: elem value values) { };
    nullOr =
      type:
      mkType "null or ${type.description}" (value: value == null || type.check value) {
        merge = where: values: if all (value: value == null) values then null else type.merge where values;
      };
    either =
      first: second:
      mkType "${first.description} or ${second.description}" (value: first.check value || second.check value) {
        merge =
          where: values: if all first.check values then first.merge where values else second.merge where values;
      };
    oneOf = kinds: foldl' either (head kinds) (builtins.tail kinds);
    listOf =
      type:
      mkType "list of ${type.description}" isList {
        merge = where: values: map (value: mergeOf "${where}.*" type [ value ]) (builtins.concatLists values);
      };
    attrsOf =
      type:
      mkType "attribute set of ${type.description}" isAttrs { merge = mergeAttrs type; }
      // {
        elementType = type;
      };
    anything = mkType "anything" (_: true) {
      merge =
        where: values:
        if all (value: isAttrs value && !isStringLike value) values then
          mergeAttrs anything where values
        else
          one where values;
    };
    submodule =
      module:
      mkType "submodule" isAttrs {
        merge =
          where: values:
          (evaluate {
            inherit where;
            modules = [ module ] ++ map (config: { inherit config; }) values;
          }).config;
      };
  };

  # ---- the module system

  isOption = value: kind value == "option";

  evaluate =
    {
      modules,
      specialArgs ? { },
      where ? "",
    }:
    let
      arguments = specialArgs // {
        inherit lib config;
      };

      # A module and those that it imports. Whatever is said outside of `config` is configuration only where nothing
      # else is.
      load =
        module:
        let
          read = if isPath module then import module else module;
          said = if isFunction read then read arguments else read;
          keys = [
            "imports"
            "options"
            "config"
            "freeformType"
          ];
          isLong = said ? options || said ? config;
          foreign = filter (key: !elem key keys) (attrNames said);
        in
        if isLong && foreign != [ ] then
          throw "a module has `options` or `config`, and beside them `${head foreign}`"
        else
          concatMap load (said.imports or [ ])
          ++ [
            {
              options = said.options or { };
              config = if isLong then said.config or { } else removeAttrs said keys;
              freeform = optionals (said ? freeformType) [ said.freeformType ];
            }
          ];

      loaded = concatMap load modules;

      declare =
        path: left: right:
        left
        // mapAttrs (
          name: value:
          if !(left ? ${name}) then
            value
          else if isOption value || isOption left.${name} then
            throw "the option `${path}${name}` is declared twice"
          else
            declare "${path}${name}." left.${name} value
        ) right;
      options = foldl' (declare "") { } (map (module: module.options) loaded);
      freeform = concatMap (module: module.freeform) loaded;

      inside = prefix: name: if prefix == "" then name else "${prefix}.${name}";

      values =
        prefix: isTop: declared: definitions:
        let
          sets = concatMap pushDown definitions;
          of = name: concatMap (set: optionals (set ? ${name}) [ set.${name} ]) sets;
          unknown = filter (name: !(declared ? ${name})) (helpers.unique (concatMap attrNames sets));
          value =
            name: option:
            let
              place = inside prefix name;
              said = of name;
              counting = discharge said;
            in
            if !isOption option then
              values place false option said
            else if counting == [ ] then
              option.default or (throw "the option `${place}` is used but not defined")
            # A default takes part in merges only where nothing else is said.
            else
              mergeOf place option.type said;
          # A default is of the option's type, too.
          checked =
            name: option:
            let
              given = value name option;
            in
            if isOption option && !(discharge (of name) != [ ]) && option ? default then
              mergeOf (inside prefix name) option.type [ option.default ]
            else
              given;
          free = helpers.genAttrs unknown (name: mergeOf (inside prefix name) (head freeform).elementType (of name));
        in
        if unknown != [ ] && !(isTop && freeform != [ ]) then
          throw "the option `${inside prefix (head unknown)}` does not exist"
        else
          mapAttrs checked declared // helpers.optionalAttrs (unknown != [ ]) free;

      config = values where true options (map (module: module.config) loaded);
    in
    {
      inherit config options;
    };

  lib =
    helpers
    // properties
    // {
      inherit types;
      inherit (builtins)
        any
        all
        concatMap
        concatStringsSep
        elem
        elemAt
        filter
        hasAttr
        isAttrs
        isList
        mapAttrs
        ;
      mkOption = attrs: attrs // { _type = "option"; };
      mkEnableOption =
        what:
        lib.mkOption {
          type = types.bool;
          default = false;
          description = "Whether to enable ${what}.";
        };
      literalExpression = text: { inherit text; };
      literalMD = text: { inherit text; };
      evalModules = evaluate;
    };
in
lib
