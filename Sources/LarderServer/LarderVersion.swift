/// The version of this program.
package let larderVersion = "0.1.0"
