# Sourced with $folder (a cluster's), $address and $name set: keys and certificates in $folder/pki.

key() {
  mkdir -p -m 700 "$folder/pki"
  openssl ecparam -name prime256v1 -genkey -noout -out "$folder/pki/$1.key"
}

# authority FILE NAME
authority() {
  key "$1"
  openssl req -x509 -new -key "$folder/pki/$1.key" -subj "/CN=$2" -days 30 -out "$folder/pki/$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# certificate AUTHORITY FILE SUBJECT USAGE [NAMES]
certificate() {
  key "$2"
  {
    printf 'extendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\n' "$4"
    [ -z "${5:-}" ] || echo "subjectAltName=$5"
  } > "$folder/pki/$2.ext"
  openssl req -new -key "$folder/pki/$2.key" -subj "$3" |
    openssl x509 -req -CA "$folder/pki/$1.crt" -CAkey "$folder/pki/$1.key" -days 30 -extfile "$folder/pki/$2.ext" \
      -set_serial "0x$(openssl rand -hex 8)" -out "$folder/pki/$2.crt" 2> "$folder/pki/openssl.log" ||
    { cat "$folder/pki/openssl.log" >&2; die "cannot make the certificate of $3"; }
}

# user FILE USER [GROUP…]: prints the path of a kubeconfig with which to be that user
user() {
  file=$folder/users/$1.kubeconfig subject= common=$2
  data() { base64 -w 0 < "$folder/pki/$1"; }
  login=user-$1
  shift 2
  for group; do subject=$subject/O=$group; done
  certificate ca "$login" "$subject/CN=$common" clientAuth
  cat > "$file" << END
apiVersion: v1
kind: Config
current-context: testbed
contexts: [{ name: testbed, context: { cluster: testbed, user: testbed } }]
clusters: [{ name: testbed, cluster: { server: "https://$address:6443", certificate-authority-data: $(data ca.crt) } }]
users: [{ name: testbed, user: { client-certificate-data: $(data "$login.crt"), client-key-data: $(data "$login.key") } }]
END
  echo "$file"
}
